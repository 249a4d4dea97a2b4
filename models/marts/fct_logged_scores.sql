with

logged_scores as (
    select * from {{ ref('int_logged_comparisons') }}
),

final as (
    select
        run_id,
        model_id,
        benchmark_id,
        protocol_version,
        item_id,
        item_hash,
        sample_index,
        metric,
        is_main,
        logged_score,
        score,
        is_different,
        logged_answer_text,
        answer_text,
        scorer_id,
        scorer_version,
        request_id
    from logged_scores
)

select * from final
