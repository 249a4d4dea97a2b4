with

source as (
    select * from {{ ref('panels') }}
),

final as (
    select
        panel_id,
        is_reference,
        description
    from source
)

select * from final
