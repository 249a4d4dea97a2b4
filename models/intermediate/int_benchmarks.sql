{{ config(materialized='view') }}

with

benchmarks as (
    select * from {{ ref('stg_benchmarks') }}
),

final as (
    select
        benchmark_id,
        benchmark_name,
        language,
        skill,
        metric,
        score_kind,
        few_shot_count::integer as few_shot_count,
        item_count::integer as item_count,
        chance_score,
        protocol_version,
        counterpart_benchmark_id
    from benchmarks
)

select * from final
