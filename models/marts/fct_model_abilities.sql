with

stability as (
    select * from {{ ref('int_component_stability') }}
),

components as (
    select * from {{ ref('int_principal_components') }}
),

final as (
    select
        components.panel_id::varchar as panel_id,
        components.component_index::integer as component_index,
        components.model_id::varchar as model_id,
        components.estimate::double as ability,
        case when stability.is_stable then components.standard_error end::double
            as ability_standard_error,
        case when stability.is_stable then components.estimation_standard_error end::double
            as estimation_standard_error,
        components.item_standard_error::double as item_standard_error,
        components.missing_standard_error::double as missing_standard_error
    from components
    inner join stability
        on
            components.panel_id = stability.panel_id
            and components.component_index = stability.component_index
    where components.quantity = 'ability'
)

select * from final
