with

panel_models as (
    select * from {{ ref('int_panel_models') }}
    where not is_left_out
),

final as (
    select
        panel_id,
        model_id
    from panel_models
)

select * from final
