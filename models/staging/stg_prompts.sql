with

source as (
    select * from {{ source('raw', 'prompts') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
