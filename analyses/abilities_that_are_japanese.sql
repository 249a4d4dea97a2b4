-- Which abilities are Japanese? The four leading components of each panel, the benchmarks that
-- lead each of them, and the share of the component's loadings (squared) that Japanese benchmarks
-- hold: about half for a general ability, most of it for one that English benchmarks lack.
-- `dbt show` prints six columns; they hold the answer, the rest is there for `--output json`.
with

loadings as (
    select * from {{ ref('fct_component_loadings') }}
),

variances as (
    select * from {{ ref('fct_component_variances') }}
),

benchmarks as (
    select * from {{ ref('dim_benchmarks') }}
),

ranked as (
    select
        loadings.*,
        benchmarks.benchmark_name,
        benchmarks.language,
        benchmarks.skill,
        sum(loadings.loading * loadings.loading) filter (where benchmarks.language != 'en') over (
            partition by loadings.panel_id, loadings.component_index
        ) / sum(loadings.loading * loadings.loading) over (
            partition by loadings.panel_id, loadings.component_index
        ) as japanese_share,
        row_number() over (
            partition by loadings.panel_id, loadings.component_index
            order by abs(loadings.loading) desc, loadings.benchmark_id asc
        ) as loading_rank
    from loadings
    inner join benchmarks on loadings.benchmark_id = benchmarks.benchmark_id
),

final as (
    select
        ranked.panel_id,
        ranked.component_index as component,
        {{ interval_text(
            'variances.explained_variance_ratio',
            'variances.ratio_ci_low',
            'variances.ratio_ci_high'
        ) }} as explained_variance,
        round(ranked.japanese_share, 2) as japanese_share,
        ranked.benchmark_name as benchmark,
        {{ interval_text(
            'ranked.loading', 'ranked.loading_ci_low', 'ranked.loading_ci_high'
        ) }} as loading_with_interval,
        ranked.loading_rank,
        ranked.language,
        ranked.skill,
        ranked.loading,
        ranked.loading_ci_low,
        ranked.loading_ci_high,
        variances.explained_variance_ratio,
        variances.ratio_ci_low,
        variances.ratio_ci_high
    from ranked
    inner join variances
        on
            ranked.panel_id = variances.panel_id
            and ranked.component_index = variances.component_index
    where ranked.component_index <= 4 and ranked.loading_rank <= 4
)

select * from final
order by panel_id, component, loading_rank
