-- What did further pre-training on the local language change? Each such model against the model it
-- started from, benchmark by benchmark, on scores of the same source and metric. The standard error
-- is an upper bound, as both answered the same items: a difference of more than two of them is on
-- the safe side. fct_paired_effects has the means over models, with intervals.
-- `dbt show` prints six columns; they hold the answer, the rest is there for `--output json`.
with

gains as (
    select * from {{ ref('fct_paired_gains') }}
    where is_local_continuation and is_preferred
),

models as (
    select * from {{ ref('dim_models') }}
),

benchmarks as (
    select * from {{ ref('dim_benchmarks') }}
),

final as (
    select
        models.model_name,
        benchmarks.benchmark_name,
        round(gains.ancestor_score, 4) as parent_score,
        round(gains.gain, 4) as gain,
        round(gains.gain_standard_error, 4) as gain_standard_error,
        abs(gains.gain) > 2 * gains.gain_standard_error as is_clear,
        gains.model_id,
        gains.ancestor_model_id as parent_model_id,
        gains.child_score,
        gains.language,
        gains.metric,
        gains.is_suspect,
        gains.added_local_token_count,
        gains.source_repo,
        gains.source_date
    from gains
    inner join models on gains.model_id = models.model_id
    inner join benchmarks on gains.benchmark_id = benchmarks.benchmark_id
)

select * from final
order by model_id asc, language asc, gain desc
