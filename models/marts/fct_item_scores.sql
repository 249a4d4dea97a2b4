{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='run_benchmark_id',
    on_schema_change='fail',
    post_hook='{{ forget_lost_runs() }}'
) }}

with

run_pieces as (
    select * from {{ ref('int_run_pieces') }}
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

{% if is_incremental() %}
    held as (
        select distinct
            piece_id,
            content_key
        from {{ this }}
    ),
{% endif %}

pieces as (
    select run_pieces.*
    from run_pieces
    {% if is_incremental() %}
        where
            not exists (
                select 1
                from held
                where
                    held.piece_id = run_pieces.piece_id
                    and held.content_key = run_pieces.content_key
            )
    {% endif %}
),

failed_requests as (
    select distinct request_id from failures
),

-- A sample without a score is a row too: it is counted, never averaged.
final as (
    select
        pieces.run_benchmark_id,
        pieces.piece_id,
        pieces.content_key,
        pieces.run_id,
        pieces.model_id,
        pieces.item_set,
        pieces.protocol,
        pieces.benchmark_id,
        samples.item_id,
        samples.item_hash,
        samples.subset,
        samples.cluster_id,
        samples.sample_index,
        scored_samples.score,
        scored_samples.per_character_score,
        scored_samples.answer_text,
        scored_samples.is_tie,
        samples.completion_text = '' as is_empty,
        samples.stop_reason = 'length' as is_truncated,
        case
            when scored_samples.score is not null then null
            when scored_samples.unscored_reason is not null then scored_samples.unscored_reason
            when answers.request_id is not null then 'incomplete'
            when failed_requests.request_id is not null then 'failed'
            else 'not_answered'
        end as unscored_reason,
        pieces.scorer_id,
        pieces.scorer_version::integer as scorer_version,
        samples.request_id
    from pieces
    inner join samples
        on
            pieces.run_id = samples.run_id
            and pieces.benchmark_id = samples.benchmark_id
            and pieces.scorer_id = samples.scorer_id
    left join scored_samples
        on
            pieces.piece_id = scored_samples.piece_id
            and samples.item_hash = scored_samples.item_hash
            and samples.sample_index = scored_samples.sample_index
    left join answers on samples.request_id = answers.request_id
    left join failed_requests on samples.request_id = failed_requests.request_id
)

select * from final
