with

benchmarks as (
    select * from {{ ref('int_benchmarks') }}
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
        counterpart_benchmark_id
    from benchmarks
)

select * from final
