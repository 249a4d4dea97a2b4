-- Only a panel that takes its source as published holds suspect scores, and every suspect score
-- that it takes is counted.
select
    panel_scores.panel_id,
    panel_scores.model_id,
    panel_scores.benchmark_id
from {{ ref('fct_panel_scores') }} as panel_scores
inner join {{ ref('stg_panels') }} as panels on panel_scores.panel_id = panels.panel_id
left join {{ ref('fct_benchmark_scores') }} as scores
    on
        panel_scores.model_id = scores.model_id
        and panel_scores.benchmark_id = scores.benchmark_id
        and panel_scores.score_source = scores.score_source
        and panel_scores.source_ref = scores.source_ref
where
    panel_scores.is_suspect is distinct from scores.is_suspect
    or (panels.score_choice != 'study_source' and panel_scores.is_suspect)
