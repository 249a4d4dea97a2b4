with

set_aside as (
    select * from {{ ref('int_set_aside') }}
),

final as (
    select
        run_id,
        benchmark_id,
        protocol_version,
        table_name,
        rule,
        row_count::integer as row_count,
        row_key,
        found
    from set_aside
)

select * from final
