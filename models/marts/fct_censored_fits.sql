with

censored_fits as (
    select * from {{ ref('int_censored_fits') }}
),

final as (
    select
        panel_id::varchar as panel_id,
        target_kind::varchar as target_kind,
        target::varchar as target,
        budget_language::varchar as budget_language,
        smallest_share::double as smallest_share,
        model_count::integer as model_count,
        known_model_count::integer as known_model_count,
        unbounded_model_count::integer as unbounded_model_count,
        lineage_count::integer as lineage_count,
        slope::double as slope,
        slope_standard_error::double as slope_standard_error,
        slope_ci_low::double as slope_ci_low,
        slope_ci_high::double as slope_ci_high,
        p_value::double as p_value,
        intercept::double as intercept,
        residual_standard_deviation::double as residual_standard_deviation,
        log_likelihood::double as log_likelihood,
        is_floored::boolean as is_floored
    from censored_fits
)

select * from final
