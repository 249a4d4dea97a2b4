with

scores as (
    select * from {{ ref('int_benchmark_scores') }}
),

final as (
    select
        model_id,
        benchmark_id,
        score_source,
        source_ref,
        metric,
        score,
        standard_error,
        standard_error_method,
        ci_low,
        ci_high,
        item_count::integer as item_count,
        unscored_count,
        failed_count,
        empty_count,
        truncated_count,
        is_comparable,
        has_stand_ins,
        is_preferred,
        is_suspect,
        suspect_reason,
        source_repo,
        source_file,
        source_date,
        licence,
        attribution,
        note
    from scores
)

select * from final
