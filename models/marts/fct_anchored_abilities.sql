with

components as (
    select * from {{ ref('int_principal_components') }}
),

final as (
    select
        panel_id::varchar as panel_id,
        component_index::integer as component_index,
        model_id::varchar as model_id,
        estimate::double as ability,
        standard_error::double as ability_standard_error,
        estimation_standard_error::double as estimation_standard_error,
        item_standard_error::double as item_standard_error,
        missing_standard_error::double as missing_standard_error
    from components
    where quantity = 'anchored_ability'
)

select * from final
