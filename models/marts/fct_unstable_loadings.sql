with

components as (
    select * from {{ ref('int_principal_components') }}
),

stability as (
    select * from {{ ref('int_component_stability') }}
),

final as (
    select
        components.panel_id::varchar as panel_id,
        components.component_index::integer as component_index,
        components.benchmark_id::varchar as benchmark_id,
        components.estimate::double as loading,
        components.standard_error::double as loading_standard_error,
        components.ci_low::double as loading_ci_low,
        components.ci_high::double as loading_ci_high
    from components
    inner join stability
        on
            components.panel_id = stability.panel_id
            and components.component_index = stability.component_index
    where components.quantity = 'loading' and not stability.is_stable
)

select * from final
