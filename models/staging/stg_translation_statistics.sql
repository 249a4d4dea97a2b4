with

source as (
    select * from {{ source('raw', 'translation_statistics') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
