with

claims as (
    select * from {{ ref('int_claims') }}
),

final as (
    select
        claim_id::varchar as claim_id,
        panel_id::varchar as panel_id,
        claim_order::integer as claim_order,
        claim::varchar as claim,
        source::varchar as source,
        counterpart_claim_id::varchar as counterpart_claim_id,
        part_count::integer as part_count,
        verdict::varchar as verdict,
        doubts::varchar as doubts
    from claims
)

select * from final
