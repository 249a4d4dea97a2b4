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
        components.estimate::double as eigenvalue,
        components.explained_variance_ratio::double as explained_variance_ratio,
        components.cumulative_ratio::double as cumulative_ratio,
        case when stability.is_stable then components.standard_error end::double
            as ratio_standard_error,
        case when stability.is_stable then components.ci_low end::double as ratio_ci_low,
        case when stability.is_stable then components.ci_high end::double as ratio_ci_high
    from components
    inner join stability
        on
            components.panel_id = stability.panel_id
            and components.component_index = stability.component_index
    where components.quantity = 'variance'
)

select * from final
