select
    dim_panels.panel_id,
    dim_panels.missing_cell_count
from {{ ref('dim_panels') }} as dim_panels
inner join {{ ref('stg_panels') }} as panels on dim_panels.panel_id = panels.panel_id
where
    (panels.model_choice = 'complete' or panels.score_choice = 'study_source')
    and dim_panels.missing_cell_count != 0
