with

components as (
    select * from {{ ref('int_principal_components') }}
),

final as (
    select
        panel_id,
        case when quantity = 'ability_replicate' then 'component' else 'anchored' end
            as target_kind,
        case when quantity = 'ability_replicate' then 'component_' else 'anchored_' end
        || component_index as target,
        left_out_lineage_id,
        model_id,
        estimate as value
    from components
    where quantity in ('ability_replicate', 'anchored_replicate')
)

select * from final
