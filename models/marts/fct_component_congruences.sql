with

components as (
    select * from {{ ref('int_principal_components') }}
),

final as (
    select
        panel_id::varchar as panel_id,
        component_index::integer as component_index,
        reference_component_index::integer as reference_component_index,
        estimate::double as congruence,
        rotated_estimate::double as rotated_congruence
    from components
    where quantity = 'congruence'
)

select * from final
