with

points as (
    select
        *,
        value - avg(value) over lineage as value_within_lineage,
        log10_train_flop - avg(log10_train_flop) over lineage as compute_within_lineage
    from {{ ref('fct_scaling_points') }}
    window lineage as (partition by panel_id, target, budget_language, lineage_id)
),

witness as (
    select
        panel_id,
        target,
        budget_language,
        count(*) as model_count,
        regr_slope(value, log10_train_flop) as slope,
        regr_r2(value, log10_train_flop) as r_squared,
        regr_slope(value_within_lineage, compute_within_lineage) as slope_within_lineages,
        regr_r2(value_within_lineage, compute_within_lineage) as r_squared_within_lineages
    from points
    group by panel_id, target, budget_language
)

select
    fits.*,
    witness.slope as witness_slope,
    witness.r_squared as witness_r_squared,
    witness.slope_within_lineages as witness_slope_within_lineages
from {{ ref('fct_scaling_fits') }} as fits
left join witness
    on
        fits.panel_id = witness.panel_id
        and fits.target = witness.target
        and fits.budget_language = witness.budget_language
where
    witness.panel_id is null
    or (
        fits.method in ('ols', 'ols_lineage_jackknife', 'ols_lineage_cr2')
        and (
            fits.model_count != witness.model_count
            or (fits.slope is null and witness.model_count >= 3)
            or abs(fits.slope - witness.slope) > 1e-9
            or abs(fits.r_squared - witness.r_squared) > 1e-9
        )
    )
    or (
        fits.method = 'lineage_fixed_effects'
        and (
            fits.model_count > witness.model_count
            or abs(fits.slope - witness.slope_within_lineages) > 1e-9
            or abs(fits.r_squared - witness.r_squared_within_lineages) > 1e-9
        )
    )
