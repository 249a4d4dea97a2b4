with

panels as (
    select * from {{ ref('stg_panels') }}
),

panel_models as (
    select * from {{ ref('int_panel_models') }}
),

chosen_scores as (
    select * from {{ ref('int_chosen_scores') }}
),

lineages as (
    select * from {{ ref('int_model_lineages') }}
),

-- Cells without a score stand here too, where it is a suspect score that left them empty.
cells as (
    select
        panel_models.panel_id,
        panel_models.model_id,
        lineages.lineage_id,
        chosen_scores.benchmark_id,
        chosen_scores.score,
        chosen_scores.source_key,
        chosen_scores.is_suspect,
        chosen_scores.is_replaced,
        chosen_scores.is_left_out
    from panel_models
    inner join panels on panel_models.panel_id = panels.panel_id
    inner join chosen_scores
        on
            panels.score_choice = chosen_scores.score_choice
            and panel_models.model_id = chosen_scores.model_id
    inner join lineages on panel_models.model_id = lineages.model_id
    where not panel_models.is_left_out
),

left_out_models as (
    select
        panel_id,
        count(*) as model_count
    from panel_models
    where is_left_out
    group by panel_id
),

final as (
    select
        panels.panel_id,
        panels.description,
        panels.is_reference,
        count(distinct cells.model_id)::integer as model_count,
        count(distinct cells.lineage_id)::integer as lineage_count,
        count(distinct cells.benchmark_id) filter (
            where cells.score is not null
        )::integer as benchmark_count,
        count(distinct cells.source_key)::integer as source_count,
        (
            count(distinct cells.model_id)
            * count(distinct cells.benchmark_id) filter (where cells.score is not null)
            - count(cells.score)
        )::integer as missing_cell_count,
        count(*) filter (where cells.is_suspect)::integer as suspect_cell_count,
        count(*) filter (where cells.is_replaced)::integer as replaced_cell_count,
        count(*) filter (where cells.is_left_out)::integer as left_out_cell_count,
        coalesce(any_value(left_out_models.model_count), 0)::integer as left_out_model_count
    from panels
    left join cells on panels.panel_id = cells.panel_id
    left join left_out_models on panels.panel_id = left_out_models.panel_id
    group by panels.panel_id, panels.description, panels.is_reference
)

select * from final
