with

gains as (
    select * from {{ ref('int_paired_gains') }}
),

final as (
    select
        model_id,
        ancestor_model_id,
        benchmark_id,
        score_source,
        source_ref,
        ancestor_source_ref,
        metric,
        generation::integer as generation,
        lineage_id,
        developer,
        training_type,
        language,
        language_role,
        child_score,
        ancestor_score,
        gain,
        gain_standard_error,
        added_local_token_count,
        added_local_token_count_low,
        added_local_token_count_high,
        added_local_certainty,
        added_local_train_flop,
        added_total_token_count,
        added_total_train_flop,
        is_local_continuation,
        is_comparable,
        is_suspect,
        is_preferred,
        source_repo,
        source_date
    from gains
)

select * from final
