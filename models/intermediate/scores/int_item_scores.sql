{{ config(
    materialized='incremental',
    unique_key='run_benchmark_id',
    post_hook='{{ forget_lost_runs() }}'
) }}

with

pieces as (
    {{ pieces_to_score() }}
),

samples as (
    select * from {{ ref('int_samples') }}
),

scored_samples as (
    select * from {{ ref('int_scored_samples') }}
),

answers as (
    select * from {{ ref('stg_answers') }}
),

failures as (
    select * from {{ ref('stg_failures') }}
),

-- Only these: what is scored already is many times more.
scored_now as (
    select scored_samples.*
    from scored_samples
    where scored_samples.piece_id in (select pieces.piece_id from pieces)
),

with_scores as (
    select
        pieces.run_benchmark_id,
        pieces.piece_id,
        pieces.content_key,
        pieces.run_id,
        pieces.model_id,
        pieces.item_set,
        pieces.protocol,
        pieces.benchmark_id,
        pieces.protocol_version,
        samples.item_id,
        samples.item_hash,
        samples.subset,
        samples.cluster_id,
        samples.sample_index,
        scored_now.score,
        scored_now.per_character_score,
        scored_now.answer_text,
        scored_now.is_tie,
        samples.completion_text = '' as is_empty,
        samples.stop_reason = 'length' as is_truncated,
        scored_now.unscored_reason,
        pieces.scorer_id,
        pieces.scorer_version,
        samples.request_id
    from pieces
    inner join samples
        on
            pieces.run_id = samples.run_id
            and pieces.benchmark_id = samples.benchmark_id
            and pieces.protocol_version = samples.protocol_version
            and pieces.scorer_id = samples.scorer_id
    left join scored_now
        on
            pieces.piece_id = scored_now.piece_id
            and samples.item_hash = scored_now.item_hash
            and samples.sample_index = scored_now.sample_index
),

unexplained as (
    select distinct request_id from with_scores
    where score is null and unscored_reason is null
),

reasons as (
    select
        unexplained.request_id,
        case
            when unexplained.request_id in (select answers.request_id from answers)
                then 'incomplete'
            when unexplained.request_id in (select failures.request_id from failures)
                then 'failed'
            else 'not_answered'
        end as unscored_reason
    from unexplained
),

-- A sample without a score is a row too: it is counted, never averaged.
final as (
    select
        with_scores.run_benchmark_id,
        with_scores.piece_id,
        with_scores.content_key,
        with_scores.run_id,
        with_scores.model_id,
        with_scores.item_set,
        with_scores.protocol,
        with_scores.benchmark_id,
        with_scores.protocol_version,
        with_scores.item_id,
        with_scores.item_hash,
        with_scores.subset,
        with_scores.cluster_id,
        with_scores.sample_index,
        with_scores.score,
        with_scores.per_character_score,
        with_scores.answer_text,
        with_scores.is_tie,
        with_scores.is_empty,
        with_scores.is_truncated,
        case
            when with_scores.score is null
                then coalesce(with_scores.unscored_reason, reasons.unscored_reason)
        end as unscored_reason,
        with_scores.scorer_id,
        with_scores.scorer_version::integer as scorer_version,
        with_scores.request_id
    from with_scores
    left join reasons on with_scores.request_id = reasons.request_id
)

select * from final
