with

panels as (
    select * from {{ ref('stg_panels') }}
),

panel_scores as (
    select * from {{ ref('int_panel_scores') }}
),

final as (
    select
        panels.panel_id,
        panels.description,
        count(distinct panel_scores.model_id)::integer as model_count,
        count(distinct panel_scores.lineage_id)::integer as lineage_count,
        count(distinct panel_scores.benchmark_id)::integer as benchmark_count,
        (
            count(distinct panel_scores.model_id) * count(distinct panel_scores.benchmark_id)
            - count(panel_scores.score)
        )::integer as missing_cell_count
    from panels
    left join panel_scores on panels.panel_id = panel_scores.panel_id
    group by panels.panel_id, panels.description
)

select * from final
