with

panel_scores as (
    select * from {{ ref('int_panel_scores') }}
),

replicates as (
    select * from {{ ref('int_ability_replicates') }}
),

panel_models as (
    select distinct
        panel_id,
        model_id,
        lineage_id
    from panel_scores
),

-- A score is what it is whatever is left out; an ability is estimated without the lineage that it
-- is predicted for.
final as (
    select
        panel_id,
        'benchmark' as target_kind,
        benchmark_id as target,
        null::varchar as left_out_lineage_id,
        model_id,
        lineage_id,
        score as value
    from panel_scores

    union all

    select
        replicates.panel_id,
        replicates.target_kind,
        replicates.target,
        replicates.left_out_lineage_id,
        replicates.model_id,
        panel_models.lineage_id,
        replicates.value
    from replicates
    inner join panel_models
        on
            replicates.panel_id = panel_models.panel_id
            and replicates.model_id = panel_models.model_id
    -- Those behind them are hardly more than noise.
    where
        split_part(replicates.target, '_', -1)::integer <= {{ var('anchored_component_count') }}
)

select * from final
