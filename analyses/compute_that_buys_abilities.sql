-- How do abilities go with the compute spent on each language? The study's claim: Japanese
-- compute goes with the component that Japanese benchmarks lead, English compute with the general
-- one. Slopes are per tenfold compute: of anchored abilities in standard deviations over the
-- reference panel, which panels can be compared by; of a panel's own components in its own units.
-- Models of one lineage share their data, which the intervals over lineages allow for: those of a
-- jackknife, of CR2, and of comparisons within lineages only. Where fewer than two equal
-- lineages would tell the slope as well, none of them supports a claim.
-- `dbt show` prints six columns; they hold the answer, the rest is there for `--output json`.
with

fits as (
    select * from {{ ref('fct_scaling_fits') }}
),

least_squares as (
    select * from fits
    where method = 'ols'
),

lineage_jackknife as (
    select * from fits
    where method = 'ols_lineage_jackknife'
),

lineage_cr2 as (
    select * from fits
    where method = 'ols_lineage_cr2'
),

within_lineages as (
    select * from fits
    where method = 'lineage_fixed_effects'
),

final as (
    select
        least_squares.panel_id,
        least_squares.target,
        least_squares.budget_language,
        {{ interval_text(
            'least_squares.slope', 'least_squares.slope_ci_low', 'least_squares.slope_ci_high'
        ) }} as slope_over_models,
        {{ interval_text(
            'lineage_jackknife.slope',
            'lineage_jackknife.slope_ci_low',
            'lineage_jackknife.slope_ci_high'
        ) }} as slope_over_lineages,
        round(least_squares.effective_lineage_count, 1) as effective_lineage_count,
        {{ interval_text(
            'lineage_cr2.slope', 'lineage_cr2.slope_ci_low', 'lineage_cr2.slope_ci_high'
        ) }} as slope_by_cr2,
        {{ interval_text(
            'within_lineages.slope',
            'within_lineages.slope_ci_low',
            'within_lineages.slope_ci_high'
        ) }} as slope_within_lineages,
        least_squares.model_count,
        least_squares.lineage_count,
        least_squares.slope,
        least_squares.slope_ci_low,
        least_squares.slope_ci_high,
        lineage_jackknife.slope_ci_low as slope_lineage_ci_low,
        lineage_jackknife.slope_ci_high as slope_lineage_ci_high,
        least_squares.pearson,
        least_squares.p_value,
        lineage_jackknife.p_value as lineage_p_value,
        lineage_jackknife.q_value as lineage_q_value
    from least_squares
    inner join lineage_jackknife
        on
            least_squares.panel_id = lineage_jackknife.panel_id
            and least_squares.target = lineage_jackknife.target
            and least_squares.budget_language = lineage_jackknife.budget_language
    inner join lineage_cr2
        on
            least_squares.panel_id = lineage_cr2.panel_id
            and least_squares.target = lineage_cr2.target
            and least_squares.budget_language = lineage_cr2.budget_language
    inner join within_lineages
        on
            least_squares.panel_id = within_lineages.panel_id
            and least_squares.target = within_lineages.target
            and least_squares.budget_language = within_lineages.budget_language
    where
        least_squares.target in ('component_1', 'component_2', 'anchored_1', 'anchored_2')
        and least_squares.budget_language in ('ja', 'en', 'total')
)

select * from final
order by target, budget_language, panel_id
