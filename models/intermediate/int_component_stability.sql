with

components as (
    select * from {{ ref('int_principal_components') }}
),

pivoted as (
    select
        panel_id,
        component_index,
        any_value(estimate) filter (where quantity = 'variance') as eigenvalue,
        any_value(explained_variance_ratio) as explained_variance_ratio,
        any_value(standard_error) filter (where quantity = 'variance') as ratio_standard_error,
        any_value(ci_low) filter (where quantity = 'variance') as ratio_ci_low,
        any_value(ci_high) filter (where quantity = 'variance') as ratio_ci_high,
        any_value(estimate) filter (where quantity = 'median_congruence') as median_congruence,
        any_value(estimate) filter (where quantity = 'smallest_congruence') as smallest_congruence,
        any_value(left_out_lineage_id) filter (where quantity = 'smallest_congruence')
            as most_influential_lineage_id,
        any_value(estimate) filter (where quantity = 'parallel_threshold') as parallel_threshold,
        any_value(estimate) filter (where quantity = 'sequential_threshold')
            as sequential_threshold,
        any_value(estimate) filter (where quantity = 'average_partial') as average_partial
    from components
    where
        quantity in (
            'variance',
            'median_congruence',
            'smallest_congruence',
            'parallel_threshold',
            'sequential_threshold',
            'average_partial'
        )
    group by panel_id, component_index
),

final as (
    select
        *,
        median_congruence >= {{ var('stable_congruence') }} as is_stable
    from pivoted
    -- What is left before any component is removed is no component.
    where component_index > 0
)

select * from final
