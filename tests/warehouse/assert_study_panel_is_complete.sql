-- The study's panel: its models by all benchmarks, every score from the study's source.
with

reference_scores as (
    select scores.*
    from {{ ref('fct_panel_scores') }} as scores
    inner join {{ ref('dim_panels') }} as panels on scores.panel_id = panels.panel_id
    where panels.is_reference
)

select
    models.model_id,
    benchmarks.benchmark_id,
    scores.source_ref
from {{ ref('stg_models') }} as models
cross join {{ ref('dim_benchmarks') }} as benchmarks
left join reference_scores as scores
    on
        models.model_id = scores.model_id
        and benchmarks.benchmark_id = scores.benchmark_id
left join {{ ref('stg_published_sources') }} as sources on scores.source_ref = sources.source_ref
where models.in_paper_35 and not coalesce(sources.is_study_source, false)
