with

source as (
    select * from {{ source('raw', 'requests') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
