with

published_scores as (
    select * from {{ ref('int_published_scores') }}
),

suspect_scores as (
    select * from {{ ref('int_suspect_scores') }}
),

run_scores as (
    select * from {{ ref('int_run_scores') }}
),

benchmarks as (
    select * from {{ ref('stg_benchmarks') }}
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
    select * from published_scores
    union all by name
    select * from measured
),

-- One sentence per score, whatever number of things speaks against it.
suspicions as (
    select
        model_id,
        benchmark_id,
        source_ref,
        string_agg(evidence, '; ' order by evidence_kind, evidence) as suspect_reason
    from suspect_scores
    group by model_id, benchmark_id, source_ref
),

with_suspicions as (
    select
        all_scores.*,
        suspicions.suspect_reason
    from all_scores
    left join suspicions
        on
            all_scores.model_id = suspicions.model_id
            and all_scores.benchmark_id = suspicions.benchmark_id
            and all_scores.source_ref = suspicions.source_ref
            and all_scores.score_source = 'published'
),

-- The rule of preference, in this order: any score before one on items or shots that stand in for
-- upstream's, which is never preferred over a publication; a score on the protocol's own metric;
-- for the study's models the study's source; a score measured here, which can be looked into; the
-- newest publication; the key, so that it is total. A suspect score is passed over.
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
    from with_suspicions
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
        coalesce(
            preference_rank = min(preference_rank) filter (where suspect_reason is null) over (
                partition by model_id, benchmark_id
            ),
            false
        ) as is_preferred,
        preference_rank,
        suspect_reason is not null as is_suspect,
        suspect_reason,
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
