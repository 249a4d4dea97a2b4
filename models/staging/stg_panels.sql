with

source as (
    select * from {{ ref('panels') }}
),

final as (
    select
        panel_id,
        is_reference,
        model_choice,
        score_choice,
        description
    from source
)

select * from final
