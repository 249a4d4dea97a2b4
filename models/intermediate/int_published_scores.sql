with

published_scores as (
    select * from {{ ref('stg_published_scores') }}
),

published_sources as (
    select * from {{ ref('stg_published_sources') }}
),

benchmarks as (
    select * from {{ ref('stg_benchmarks') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

-- The inner join leaves out `math`, which was published beside the study's benchmarks.
scores as (
    select
        published_scores.model_id,
        published_scores.benchmark_id,
        'published' as score_source,
        published_sources.source_ref,
        case
            when published_scores.benchmark_id = 'squad2' then published_sources.squad2_metric
            else benchmarks.metric
        end as metric,
        benchmarks.metric as protocol_metric,
        benchmarks.score_kind,
        published_scores.score,
        benchmarks.item_count,
        published_sources.source_repo,
        published_sources.source_file,
        published_sources.source_date,
        published_sources.licence,
        published_sources.attribution,
        published_scores.note,
        models.in_paper_35 and published_sources.is_study_source as is_study_score
    from published_scores
    inner join published_sources on published_scores.source_id = published_sources.source_id
    inner join benchmarks on published_scores.benchmark_id = benchmarks.benchmark_id
    inner join models on published_scores.model_id = models.model_id
),

-- A score in [0, 1] with mean m has a variance of m(1 - m) at most, which is exact for 0/1
-- scores; a corpus metric is no mean over items, so a published value says nothing of its error.
with_uncertainty as (
    select
        *,
        metric = protocol_metric as is_comparable,
        case score_kind
            when 'proportion' then 'binomial'
            when 'bounded_mean' then 'bounded_mean'
        end as standard_error_method,
        case
            when score_kind in ('proportion', 'bounded_mean') and score > 0 and score < 1
                then sqrt(score * (1 - score) / item_count)
        end as standard_error,
        case
            when score_kind in ('proportion', 'bounded_mean')
                then {{ wilson_bound('score', 'item_count', '-') }}
        end as ci_low,
        case
            when score_kind in ('proportion', 'bounded_mean')
                then {{ wilson_bound('score', 'item_count', '+') }}
        end as ci_high
    from scores
),

final as (
    select
        model_id,
        benchmark_id,
        score_source,
        source_ref,
        metric,
        score,
        standard_error,
        standard_error_method,
        ci_low,
        ci_high,
        item_count,
        is_comparable,
        is_study_score,
        source_repo,
        source_file,
        source_date,
        licence,
        attribution,
        note
    from with_uncertainty
)

select * from final
