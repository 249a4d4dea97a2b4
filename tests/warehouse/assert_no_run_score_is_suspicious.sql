{{ config(severity='warn') }}

-- Numbers that are seldom what a model can do: look at the samples before believing them. The
-- published scores have such cases, as HumanEval at exactly zero of models that can program.
with

run_scores as (
    select
        run_scores.*,
        benchmarks.chance_score
    from {{ ref('fct_run_scores') }} as run_scores
    inner join {{ ref('dim_benchmarks') }} as benchmarks
        on run_scores.benchmark_id = benchmarks.benchmark_id
    where run_scores.item_set = 'real'
),

suspicions as (
    select
        run_id,
        benchmark_id,
        'more than 1% of the samples have no score' as suspicion,
        unscored_sample_count / sample_count as found
    from run_scores
    where sample_count >= 100 and unscored_sample_count > 0.01 * sample_count
    union all
    select
        run_id,
        benchmark_id,
        'more than 20% of the completions are empty' as suspicion,
        empty_count / sample_count as found
    from run_scores
    where sample_count >= 100 and empty_count > 0.2 * sample_count
    union all
    -- Protocols without a stop text always end at their limit.
    select
        run_id,
        benchmark_id,
        'more than 20% of the completions end at their limit' as suspicion,
        truncated_count / sample_count as found
    from run_scores
    where
        sample_count >= 100
        and truncated_count > 0.2 * sample_count
        and scorer_id not in ('nfkc_exact_match', 'character_f1')
    union all
    select
        run_id,
        benchmark_id,
        'the score is zero' as suspicion,
        score as found
    from run_scores
    where item_count >= 100 and score = 0
    union all
    select
        run_id,
        benchmark_id,
        'the interval lies below chance' as suspicion,
        ci_high as found
    from run_scores
    where item_count >= 100 and ci_high < chance_score
    union all
    select
        run_scores.run_id,
        run_scores.benchmark_id,
        'the score is exactly that of ' || others.model_id as suspicion,
        run_scores.score as found
    from run_scores
    inner join run_scores as others
        on
            run_scores.benchmark_id = others.benchmark_id
            and run_scores.score = others.score
            and run_scores.standard_error = others.standard_error
            and run_scores.model_id < others.model_id
    where run_scores.item_count >= 100 and run_scores.score > 0
)

select * from suspicions
