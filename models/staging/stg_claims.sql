with

source as (
    select * from {{ ref('claims') }}
),

final as (
    select
        claim_id,
        claim_order,
        claim,
        source
    from source
)

select * from final
