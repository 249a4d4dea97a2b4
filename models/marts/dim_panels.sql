with

panels as (
    select * from {{ ref('int_panels') }}
),

final as (
    select
        panel_id,
        description,
        is_reference,
        model_count,
        lineage_count,
        benchmark_count,
        source_count,
        missing_cell_count,
        suspect_cell_count,
        replaced_cell_count,
        left_out_cell_count,
        left_out_model_count
    from panels
)

select * from final
