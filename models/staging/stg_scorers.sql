with

source as (
    select * from {{ ref('scorers') }}
),

final as (
    select
        scorer_id,
        scorer_version,
        scorer_kind,
        aggregation,
        description
    from source
)

select * from final
