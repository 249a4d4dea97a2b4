with

source as (
    select * from {{ source('raw', 'run_session_ends') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
