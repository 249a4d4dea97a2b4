with

source as (
    select * from {{ ref('benchmarks') }}
),

final as (
    select
        benchmark_id,
        benchmark_name,
        language,
        skill,
        metric,
        score_kind,
        few_shot_count,
        item_count,
        chance_score,
        protocol_version,
        scorer_id,
        counterpart_benchmark_id
    from source
)

select * from final
