with

run_scores as (
    select * from {{ ref('int_run_scores') }}
),

scores as (
    select * from {{ ref('int_benchmark_scores') }}
),

benchmarks as (
    select * from {{ ref('int_benchmarks') }}
),

-- Runs that are not finished, or stand on other files, are compared too: the reason says so.
compared as (
    select
        run_scores.model_id,
        run_scores.benchmark_id,
        run_scores.protocol_version,
        run_scores.protocol_version = benchmarks.protocol_version as is_declared_version,
        run_scores.run_id,
        scores.source_ref,
        scores.is_preferred as is_preferred_source,
        scores.score as published_score,
        run_scores.score as measured_score,
        run_scores.score - scores.score as difference,
        run_scores.standard_error,
        run_scores.ci_low,
        run_scores.ci_high,
        -- A publication rounds to three or four digits.
        abs(run_scores.score - scores.score) <= 0.0005
        or scores.score between run_scores.ci_low and run_scores.ci_high as is_inside,
        scores.is_comparable,
        run_scores.has_stand_in_items,
        run_scores.has_stand_in_shots,
        run_scores.is_complete,
        run_scores.unscored_sample_count
    from run_scores
    inner join scores
        on
            run_scores.model_id = scores.model_id
            and run_scores.benchmark_id = scores.benchmark_id
    inner join benchmarks on run_scores.benchmark_id = benchmarks.benchmark_id
    where
        run_scores.item_set = 'real'
        and run_scores.protocol = 'reference'
        and scores.score_source = 'published'
),

final as (
    select
        model_id,
        benchmark_id,
        protocol_version,
        run_id,
        source_ref,
        is_preferred_source,
        published_score,
        measured_score,
        difference,
        standard_error,
        ci_low,
        ci_high,
        coalesce(is_inside, false) as is_inside,
        case
            when is_inside then null
            when measured_score is null then 'not_scored'
            when not is_comparable then 'other_metric'
            when not is_declared_version then 'other_protocol_version'
            when has_stand_in_items then 'stand_in_items'
            when unscored_sample_count > 0 then 'unscored_samples'
            when not is_complete then 'not_all_items'
            when published_score = 0 then 'published_zero'
            when has_stand_in_shots then 'stand_in_shots'
            else 'unexplained'
        end as reason
    from compared
)

select * from final
