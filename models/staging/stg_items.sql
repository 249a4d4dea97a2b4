with

source as (
    select * from {{ source('raw', 'items') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
