with

source as (
    select * from {{ source('raw', 'program_outcomes') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
