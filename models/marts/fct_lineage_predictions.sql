with

lineage_predictions as (
    select * from {{ ref('int_lineage_predictions') }}
),

final as (
    select
        panel_id::varchar as panel_id,
        target_kind::varchar as target_kind,
        target::varchar as target,
        budget_language::varchar as budget_language,
        predictor::varchar as predictor,
        model_count::integer as model_count,
        lineage_count::integer as lineage_count,
        r_squared::double as r_squared,
        root_mean_square_error::double as root_mean_square_error,
        mean_absolute_error::double as mean_absolute_error,
        skill::double as skill,
        -- The mean is no better or worse than itself, which is no finding.
        case when predictor != 'mean' then skill_low end::double as skill_ci_low,
        case when predictor != 'mean' then skill_high end::double as skill_ci_high,
        interval_coverage::double as interval_coverage,
        lineage_interval_coverage::double as lineage_interval_coverage,
        root_mean_square_error_by_model::double as root_mean_square_error_by_model,
        mean_absolute_error_by_model::double as mean_absolute_error_by_model,
        skill_by_model::double as skill_by_model,
        interval_coverage_by_model::double as interval_coverage_by_model,
        lineage_interval_coverage_by_model::double as lineage_interval_coverage_by_model
    from lineage_predictions
    where quantity = 'errors'
)

select * from final
