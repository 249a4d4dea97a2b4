-- The delete-one-lineage jackknife by hand: (G - 1) / G times the sum of squared deviations.
with spreads as (
    select
        panel_id,
        target_kind,
        split_part(target, '_', 2)::integer as component_index,
        model_id,
        case
            when count(value) = count(*) then sqrt((count(*) - 1) * var_pop(value))
        end as standard_error
    from {{ ref('int_ability_replicates') }}
    group by panel_id, target_kind, component_index, model_id
),

abilities as (
    select
        'component' as target_kind,
        *
    from {{ ref('fct_model_abilities') }}

    union all

    select
        'anchored' as target_kind,
        *
    from {{ ref('fct_anchored_abilities') }}
)

select
    abilities.panel_id,
    abilities.target_kind,
    abilities.component_index,
    abilities.model_id,
    abilities.ability_standard_error,
    abilities.estimation_standard_error,
    spreads.standard_error
from abilities
left join spreads
    on
        abilities.panel_id = spreads.panel_id
        and abilities.target_kind = spreads.target_kind
        and abilities.component_index = spreads.component_index
        and abilities.model_id = spreads.model_id
left join {{ ref('fct_component_stability') }} as stability
    on
        abilities.panel_id = stability.panel_id
        and abilities.component_index = stability.component_index
where
    (abilities.estimation_standard_error is null)
    != (
        spreads.standard_error is null
        or (abilities.target_kind = 'component' and not coalesce(stability.is_stable, false))
    )
    or abs(abilities.estimation_standard_error - spreads.standard_error) > 1e-9
    or abs(
        power(abilities.ability_standard_error, 2)
        - power(spreads.standard_error, 2)
        - power(abilities.item_standard_error, 2)
        - power(abilities.missing_standard_error, 2)
    ) > 1e-9
