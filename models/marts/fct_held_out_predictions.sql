with

lineage_predictions as (
    select * from {{ ref('int_lineage_predictions') }}
),

lineages as (
    select * from {{ ref('int_model_lineages') }}
),

final as (
    select
        lineage_predictions.panel_id::varchar as panel_id,
        lineage_predictions.target_kind::varchar as target_kind,
        lineage_predictions.target::varchar as target,
        lineage_predictions.budget_language::varchar as budget_language,
        lineage_predictions.predictor::varchar as predictor,
        lineage_predictions.model_id::varchar as model_id,
        lineages.lineage_id,
        lineage_predictions.value::double as value,
        lineage_predictions.prediction::double as prediction,
        lineage_predictions.interval_low::double as interval_low,
        lineage_predictions.interval_high::double as interval_high,
        lineage_predictions.lineage_interval_low::double as lineage_interval_low,
        lineage_predictions.lineage_interval_high::double as lineage_interval_high
    from lineage_predictions
    inner join lineages on lineage_predictions.model_id = lineages.model_id
    where lineage_predictions.quantity = 'prediction'
)

select * from final
