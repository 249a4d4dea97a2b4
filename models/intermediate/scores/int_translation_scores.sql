with

completed as (
    {{ samples_to_score('translation') }}
),

statistics as (
    select * from {{ ref('stg_translation_statistics') }}
),

latest_statistics as (
    select *
    from statistics
    qualify
        row_number() over (
            partition by request_id, item_hash, measure_id order by measure_version desc
        ) = 1
),

final as (
    select
        completed.piece_id,
        completed.content_key,
        completed.run_id,
        completed.benchmark_id,
        completed.scorer_id,
        completed.scorer_version,
        completed.item_hash,
        completed.sample_index,
        completed.completion_text as answer_text,
        {{ sentence_bleu(
            'latest_statistics.match_counts',
            'latest_statistics.ngram_counts',
            'latest_statistics.candidate_length',
            'latest_statistics.reference_length'
        ) }} as score,
        null::double as per_character_score,
        null::boolean as is_tie,
        if(latest_statistics.request_id is null, 'not_measured', null) as unscored_reason,
        latest_statistics.match_counts,
        latest_statistics.ngram_counts,
        latest_statistics.candidate_length,
        latest_statistics.reference_length
    from completed
    left join latest_statistics
        on
            completed.request_id = latest_statistics.request_id
            and completed.item_hash = latest_statistics.item_hash
            and completed.scorer_id = latest_statistics.measure_id
)

select * from final
