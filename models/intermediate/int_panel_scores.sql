with

panels as (
    select * from {{ ref('stg_panels') }}
),

panel_models as (
    select * from {{ ref('int_panel_models') }}
    where not is_left_out
),

chosen_scores as (
    select * from {{ ref('int_chosen_scores') }}
    where score is not null
),

lineages as (
    select * from {{ ref('int_model_lineages') }}
),

final as (
    select
        panel_models.panel_id,
        panel_models.model_id,
        lineages.lineage_id,
        chosen_scores.benchmark_id,
        chosen_scores.score,
        chosen_scores.standard_error,
        chosen_scores.score_source,
        chosen_scores.source_ref,
        chosen_scores.is_suspect,
        chosen_scores.is_replaced
    from panel_models
    inner join panels on panel_models.panel_id = panels.panel_id
    inner join chosen_scores
        on
            panels.score_choice = chosen_scores.score_choice
            and panel_models.model_id = chosen_scores.model_id
    inner join lineages on panel_models.model_id = lineages.model_id
)

select * from final
