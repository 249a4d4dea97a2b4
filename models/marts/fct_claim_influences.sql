with

decisions as (
    select * from {{ ref('int_claim_decisions') }}
),

final as (
    select
        claim_id::varchar as claim_id,
        panel_id::varchar as panel_id,
        left_out_kind::varchar as left_out_kind,
        left_out_id::varchar as left_out_id,
        verdict::varchar as verdict,
        verdict_without::varchar as verdict_without,
        is_decisive::boolean as is_decisive,
        known_reason::varchar as known_reason
    from decisions
)

select * from final
