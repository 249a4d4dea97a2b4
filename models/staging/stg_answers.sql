with

source as (
    select * from {{ source('raw', 'answers') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
