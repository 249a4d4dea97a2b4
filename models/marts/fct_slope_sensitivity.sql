with

slope_sensitivity as (
    select * from {{ ref('int_slope_sensitivity') }}
),

final as (
    select
        panel_id::varchar as panel_id,
        target_kind::varchar as target_kind,
        target::varchar as target,
        budget_language::varchar as budget_language,
        assumption::varchar as assumption,
        factor::double as factor,
        model_count::integer as model_count,
        changed_model_count::integer as changed_model_count,
        lineage_count::integer as lineage_count,
        slope::double as slope,
        slope_standard_error::double as slope_standard_error,
        slope_ci_low::double as slope_ci_low,
        slope_ci_high::double as slope_ci_high,
        slope_deviation::double as slope_deviation
    from slope_sensitivity
)

select * from final
