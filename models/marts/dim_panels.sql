with

panels as (
    select * from {{ ref('int_panels') }}
),

final as (
    select
        panel_id,
        description,
        model_count,
        lineage_count,
        benchmark_count,
        missing_cell_count
    from panels
)

select * from final
