with

slope_bounds as (
    select * from {{ ref('int_slope_bounds') }}
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
        slope_low::double as slope_low,
        slope_high::double as slope_high,
        slope_low_standard_error::double as slope_low_standard_error,
        slope_high_standard_error::double as slope_high_standard_error,
        slope_ci_low::double as slope_ci_low,
        slope_ci_high::double as slope_ci_high
    from slope_bounds
)

select * from final
