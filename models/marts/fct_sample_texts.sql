with

sample_texts as (
    select * from {{ ref('int_sample_texts') }}
),

final as (
    select
        run_id,
        model_id,
        item_set,
        protocol,
        benchmark_id,
        protocol_version,
        item_id,
        item_hash,
        subset,
        sample_index,
        fields,
        prompt_text,
        completion_text,
        stop_reason,
        choices,
        choice_log_likelihoods,
        answer_text,
        golds,
        target,
        gold_choice,
        score,
        unscored_reason,
        is_recorded,
        scorer_id,
        scorer_version,
        decoding,
        request_id
    from sample_texts
)

select * from final
