with

source as (
    select * from {{ source('raw', 'log_likelihoods') }}
),

final as (
    select {{ declared_columns() }}
    from source
)

select * from final
