with

points as (
    select distinct
        panel_id,
        target_kind,
        target,
        model_id
    from {{ ref('int_bounded_points') }}
),

replicates as (
    select * from {{ ref('int_ability_replicates') }}
),

final as (
    select
        replicates.panel_id,
        replicates.target_kind,
        replicates.target,
        replicates.left_out_lineage_id,
        replicates.model_id,
        replicates.value
    from replicates
    inner join points
        on
            replicates.panel_id = points.panel_id
            and replicates.target_kind = points.target_kind
            and replicates.target = points.target
            and replicates.model_id = points.model_id
)

select * from final
