with

source as (
    select * from {{ ref('claims') }}
),

final as (
    select
        claim_id,
        claim_order,
        claim,
        source,
        counterpart_claim_id
    from source
)

select * from final
