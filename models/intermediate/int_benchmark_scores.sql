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

run_scores as (
    select * from {{ ref('int_run_scores') }}
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

-- Demonstration items, unfinished runs and other protocols than the reference stay outside, and so
-- does what was asked under another version of the protocol than is declared now: models that were
-- asked differently are not compared.
measured as (
    select
        run_scores.model_id,
        run_scores.benchmark_id,
        'measured' as score_source,
        run_scores.run_id as source_ref,
        benchmarks.metric,
        run_scores.score,
        run_scores.item_count,
        true as is_comparable,
        false as is_study_score,
        run_scores.has_stand_in_items or run_scores.has_stand_in_shots as has_stand_ins,
        run_scores.standard_error_method,
        run_scores.standard_error,
        run_scores.ci_low,
        run_scores.ci_high,
        run_scores.unscored_count,
        run_scores.failed_count,
        run_scores.empty_count,
        run_scores.truncated_count,
        run_scores.answered_on as source_date,
        'scorer ' || run_scores.scorer_id || ', version ' || run_scores.scorer_version as note
    from run_scores
    inner join benchmarks on run_scores.benchmark_id = benchmarks.benchmark_id
    where
        run_scores.is_complete
        and run_scores.protocol = 'reference'
        and run_scores.protocol_version = benchmarks.protocol_version
),

all_scores as (
    select * from with_uncertainty
    union all by name
    select * from measured
),

-- The rule of preference, in this order: any score before one on items or shots that stand in for
-- upstream's, which is never preferred over a publication; a score on the protocol's own metric;
-- for the study's models the study's source; a score measured here, which can be looked into; the
-- newest publication; the key, so that it is total.
ranked as (
    select
        *,
        row_number() over (
            partition by model_id, benchmark_id
            order by
                coalesce(has_stand_ins, false) asc,
                is_comparable desc,
                is_study_score desc,
                score_source = 'measured' desc,
                source_date desc,
                source_ref asc
        ) as preference_rank
    from all_scores
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
        -- A publication does not say of how many items something went wrong.
        unscored_count,
        failed_count,
        empty_count,
        truncated_count,
        is_comparable,
        -- Nor does it say from which files.
        has_stand_ins,
        preference_rank = 1 as is_preferred,
        is_study_score,
        source_repo,
        source_file,
        source_date,
        licence,
        attribution,
        note
    from ranked
)

select * from final
