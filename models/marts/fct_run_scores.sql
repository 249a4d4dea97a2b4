with

run_scores as (
    select * from {{ ref('int_run_scores') }}
),

final as (
    select
        run_id,
        model_id,
        item_set,
        protocol,
        benchmark_id,
        protocol_version,
        scorer_id,
        scorer_version,
        score,
        standard_error,
        standard_error_method,
        ci_low,
        ci_high,
        per_character_score,
        item_count,
        unscored_count,
        cluster_count,
        sample_count,
        unscored_sample_count,
        failed_count,
        empty_count,
        truncated_count,
        tie_count,
        answered_on,
        expected_item_count::integer as expected_item_count,
        has_stand_in_items,
        has_stand_in_shots,
        is_complete
    from run_scores
)

select * from final
