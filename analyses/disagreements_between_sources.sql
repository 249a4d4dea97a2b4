-- Where do published sources disagree about the same model, benchmark and metric? Differences
-- beyond what rounding to three decimals can explain, the largest first. Both scores were measured
-- on the same items, so a difference is not sampling error but another run, prompt or scorer;
-- zeros against good scores are failures of the answer format (is_suspect).
-- `dbt show` prints six columns; they hold the answer, the rest is there for `--output json`.
with

scores as (
    select * from {{ ref('fct_benchmark_scores') }}
    where score_source = 'published'
),

models as (
    select * from {{ ref('dim_models') }}
),

compared as (
    select
        older.model_id,
        older.benchmark_id,
        older.metric,
        older.source_repo as older_repo,
        older.source_date as older_date,
        newer.source_repo as newer_repo,
        newer.source_date as newer_date,
        older.score as older_score,
        newer.score as newer_score,
        newer.score - older.score as difference,
        case
            when older.is_preferred then 'older'
            when newer.is_preferred then 'newer'
            else 'neither'
        end as preferred
    from scores as older
    inner join scores as newer
        on
            older.model_id = newer.model_id
            and older.benchmark_id = newer.benchmark_id
            and older.metric = newer.metric
            and older.source_date < newer.source_date
),

final as (
    select
        models.model_name,
        compared.benchmark_id,
        round(compared.older_score, 4) as older_score,
        round(compared.newer_score, 4) as newer_score,
        round(compared.difference, 4) as difference,
        compared.preferred,
        compared.metric,
        compared.older_repo,
        compared.older_date,
        compared.newer_repo,
        compared.newer_date,
        compared.model_id,
        count(*) over (partition by compared.benchmark_id) as disagreement_count_of_benchmark
    from compared
    inner join models on compared.model_id = models.model_id
    where abs(compared.difference) > 0.00051
)

select * from final
order by abs(difference) desc, model_id asc, benchmark_id asc, older_date asc
