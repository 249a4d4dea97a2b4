with

source as (
    select * from {{ source('raw', 'run_sessions') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
