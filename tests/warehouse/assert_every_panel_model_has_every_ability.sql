-- A panel whose scores do not determine its components has rows all the same, without abilities.
select
    panel_models.panel_id,
    panel_models.model_id,
    count(abilities.ability) as ability_count,
    any_value(panels.benchmark_count) as benchmark_count
from {{ ref('dim_panel_models') }} as panel_models
inner join {{ ref('dim_panels') }} as panels on panel_models.panel_id = panels.panel_id
left join {{ ref('fct_model_abilities') }} as abilities
    on
        panel_models.panel_id = abilities.panel_id
        and panel_models.model_id = abilities.model_id
left join {{ ref('fct_component_variances') }} as variances
    on
        abilities.panel_id = variances.panel_id
        and abilities.component_index = variances.component_index
group by panel_models.panel_id, panel_models.model_id
having
    count(abilities.component_index) != any_value(panels.benchmark_count)
    or count(abilities.ability) != count(variances.eigenvalue)
