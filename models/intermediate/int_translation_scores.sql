{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='piece_id',
    on_schema_change='fail',
    post_hook='{{ forget_lost_runs() }}'
) }}

with

pieces as (
    {{ pieces_to_score('translation') }}
),

samples as (
    select * from {{ ref('int_samples') }}
),

generations as (
    select * from {{ ref('stg_generations') }}
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
        pieces.piece_id,
        pieces.content_key,
        pieces.run_id,
        pieces.benchmark_id,
        pieces.scorer_id,
        pieces.scorer_version,
        samples.item_hash,
        samples.sample_index,
        generations.completion_text as answer_text,
        latest_statistics.sentence_bleu as score,
        null::double as per_character_score,
        null::boolean as is_tie,
        if(latest_statistics.request_id is null, 'not_measured', null) as unscored_reason,
        latest_statistics.match_counts,
        latest_statistics.ngram_counts,
        latest_statistics.candidate_length,
        latest_statistics.reference_length
    from pieces
    inner join samples
        on
            pieces.run_id = samples.run_id
            and pieces.benchmark_id = samples.benchmark_id
            and pieces.scorer_id = samples.scorer_id
    inner join generations on samples.request_id = generations.request_id
    left join latest_statistics
        on
            samples.request_id = latest_statistics.request_id
            and samples.item_hash = latest_statistics.item_hash
            and samples.scorer_id = latest_statistics.measure_id
)

select * from final
