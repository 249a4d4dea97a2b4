with

stability as (
    select * from {{ ref('int_component_stability') }}
),

components as (
    select * from {{ ref('int_principal_components') }}
),

-- Each method but the third stops before the first component that fails.
first_failures as (
    select
        panel_id,
        max(component_index) as component_count,
        min(component_index) filter (where eigenvalue <= parallel_threshold) as parallel_failure,
        min(component_index) filter (where eigenvalue <= sequential_threshold)
            as sequential_failure,
        min(component_index) filter (where not coalesce(is_stable, false)) as stability_failure,
        count(parallel_threshold) > 0 as has_thresholds,
        count(is_stable) > 0 as has_congruences
    from stability
    group by panel_id
),

smallest_partials as (
    select
        panel_id,
        arg_min(component_index, estimate) as component_count
    from components
    where quantity = 'average_partial'
    group by panel_id
),

counts as (
    select
        panel_id,
        'parallel_analysis' as method,
        case when has_thresholds then coalesce(parallel_failure - 1, component_count) end
            as component_count
    from first_failures

    union all

    select
        panel_id,
        'sequential_parallel_analysis' as method,
        case when has_thresholds then coalesce(sequential_failure - 1, component_count) end
            as component_count
    from first_failures

    union all

    select
        first_failures.panel_id,
        'minimum_average_partial' as method,
        smallest_partials.component_count
    from first_failures
    left join smallest_partials on first_failures.panel_id = smallest_partials.panel_id

    union all

    select
        panel_id,
        'stability' as method,
        case when has_congruences then coalesce(stability_failure - 1, component_count) end
            as component_count
    from first_failures
),

final as (
    select
        panel_id::varchar as panel_id,
        method,
        component_count::integer as component_count
    from counts
)

select * from final
