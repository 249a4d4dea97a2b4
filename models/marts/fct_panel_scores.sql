with

panel_scores as (
    select * from {{ ref('int_panel_scores') }}
),

final as (
    select
        panel_id,
        model_id,
        benchmark_id,
        score,
        standard_error,
        score_source,
        source_ref,
        is_suspect,
        is_replaced
    from panel_scores
)

select * from final
