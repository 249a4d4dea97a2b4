{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='piece_id',
    on_schema_change='fail',
    post_hook='{{ forget_lost_runs() }}'
) }}

with

pieces as (
    {{ pieces_to_score('program') }}
),

samples as (
    select * from {{ ref('int_samples') }}
),

generations as (
    select * from {{ ref('stg_generations') }}
),

outcomes as (
    select * from {{ ref('stg_program_outcomes') }}
),

latest_outcomes as (
    select *
    from outcomes
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
        -- A sandbox that failed says nothing about the program.
        case
            when latest_outcomes.outcome != 'sandbox_error'
                then (latest_outcomes.outcome = 'passed')::double
        end as score,
        null::double as per_character_score,
        null::boolean as is_tie,
        case
            when latest_outcomes.outcome is null then 'not_measured'
            when latest_outcomes.outcome = 'sandbox_error' then 'sandbox_error'
        end as unscored_reason
    from pieces
    inner join samples
        on
            pieces.run_id = samples.run_id
            and pieces.benchmark_id = samples.benchmark_id
            and pieces.scorer_id = samples.scorer_id
    inner join generations on samples.request_id = generations.request_id
    left join latest_outcomes
        on
            samples.request_id = latest_outcomes.request_id
            and samples.item_hash = latest_outcomes.item_hash
            and samples.scorer_id = latest_outcomes.measure_id
)

select * from final
