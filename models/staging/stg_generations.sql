with

source as (
    select * from {{ source('raw', 'generations') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
