with

source as (
    select * from {{ source('raw', 'logged_scores') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
