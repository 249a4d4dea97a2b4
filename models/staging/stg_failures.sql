with

source as (
    select * from {{ source('raw', 'failures') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
