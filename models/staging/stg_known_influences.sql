with

source as (
    select * from {{ ref('known_influences') }}
),

final as (
    select
        claim_id,
        panel_id,
        left_out_kind,
        left_out_id,
        reason
    from source
)

select * from final
