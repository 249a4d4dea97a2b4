-- How much does what is not disclosed matter? Most models' sources do not say how much of their
-- training text is in a language. Slopes on compute leave these models out (slope_of_known). Here
-- they are let in: with compute anywhere in what their sources allow, from the smallest share of
-- undisclosed mixtures on (slopes_allowed: lowest to highest, and the interval that has the slope
-- in it in 95% of cases), and with shares spread evenly on the logarithmic scale from there on
-- (slope_if_spread). sign_certain_from_share is the smallest share of the grid whose interval has
-- no slope of the other sign in it, and null if there is none. Beside them: how far the slope of
-- known compute moves with assumed shares and with errors of token counts. `dbt show` prints six
-- columns; the rest is there for `--output json`.
with

slope_bounds as (
    select * from {{ ref('fct_slope_bounds') }}
    where target_kind = 'anchored'
),

censored_fits as (
    select * from {{ ref('fct_censored_fits') }}
    where target_kind = 'anchored'
),

slope_sensitivity as (
    select * from {{ ref('fct_slope_sensitivity') }}
    where target_kind = 'anchored'
),

widest as (
    select
        panel_id,
        target,
        budget_language,
        any_value(model_count) as model_count,
        any_value(known_model_count) as known_model_count,
        any_value(unbounded_model_count) as unbounded_model_count,
        any_value(lineage_count) as lineage_count,
        arg_min(slope_low, smallest_share) as slope_low,
        arg_min(slope_high, smallest_share) as slope_high,
        arg_min(slope_ci_low, smallest_share) as slope_ci_low,
        arg_min(slope_ci_high, smallest_share) as slope_ci_high,
        -- What holds from one share on holds from every larger one on.
        min(smallest_share) filter (
            where slope_ci_low > 0 or slope_ci_high < 0
        ) as sign_certain_from_share
    from slope_bounds
    group by panel_id, target, budget_language
),

spread as (
    select
        *,
        min(slope) over (partition by panel_id, target, budget_language) as slope_min,
        max(slope) over (partition by panel_id, target, budget_language) as slope_max
    from censored_fits
    qualify
        row_number() over (
            partition by panel_id, target, budget_language
            order by smallest_share
        ) = 1
),

known as (
    select * from slope_sensitivity
    where assumption = 'assumed_share' and factor = 1
),

moved as (
    select
        panel_id,
        target,
        budget_language,
        min(slope) filter (where assumption = 'assumed_share') as assumed_share_slope_min,
        max(slope) filter (where assumption = 'assumed_share') as assumed_share_slope_max,
        max(slope_deviation) filter (
            where assumption = 'independent_token_errors'
        ) as independent_error_deviation,
        max(slope_deviation) filter (
            where assumption = 'shared_token_errors'
        ) as shared_error_deviation
    from slope_sensitivity
    group by panel_id, target, budget_language
),

final as (
    select
        widest.panel_id,
        widest.target,
        widest.budget_language,
        {{ interval_text('known.slope', 'known.slope_ci_low', 'known.slope_ci_high') }}
            as slope_of_known,
        printf(
            '%.2f to %.2f (%.2f to %.2f)',
            widest.slope_low,
            widest.slope_high,
            widest.slope_ci_low,
            widest.slope_ci_high
        ) as slopes_allowed,
        {{ interval_text('spread.slope', 'spread.slope_ci_low', 'spread.slope_ci_high') }}
            as slope_if_spread,
        widest.sign_certain_from_share,
        widest.known_model_count,
        widest.model_count,
        widest.unbounded_model_count,
        widest.lineage_count,
        widest.slope_low,
        widest.slope_high,
        widest.slope_ci_low,
        widest.slope_ci_high,
        spread.slope_min as slope_if_spread_min,
        spread.slope_max as slope_if_spread_max,
        moved.assumed_share_slope_min,
        moved.assumed_share_slope_max,
        moved.independent_error_deviation,
        moved.shared_error_deviation
    from widest
    left join known
        on
            widest.panel_id = known.panel_id
            and widest.target = known.target
            and widest.budget_language = known.budget_language
    left join spread
        on
            widest.panel_id = spread.panel_id
            and widest.target = spread.target
            and widest.budget_language = spread.budget_language
    left join moved
        on
            widest.panel_id = moved.panel_id
            and widest.target = moved.target
            and widest.budget_language = moved.budget_language
)

select * from final
order by panel_id, target, budget_language
