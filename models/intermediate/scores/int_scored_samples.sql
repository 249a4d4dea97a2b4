{{ config(materialized='view') }}

with

choice_scores as (
    select * from {{ ref('int_choice_scores') }}
),

answer_scores as (
    select * from {{ ref('int_answer_scores') }}
),

summary_scores as (
    select * from {{ ref('int_summary_scores') }}
),

translation_scores as (
    select * from {{ ref('int_translation_scores') }}
),

program_scores as (
    select * from {{ ref('int_program_scores') }}
),

logged_scores as (
    select * from {{ ref('int_logged_scores') }}
),

all_scores as (
    select * from choice_scores
    union all by name
    select * from answer_scores
    union all by name
    select * from summary_scores
    union all by name
    select * from translation_scores
    union all by name
    select * from program_scores
    union all by name
    select * from logged_scores
),

final as (
    select
        piece_id,
        content_key,
        run_id,
        benchmark_id,
        scorer_id,
        scorer_version,
        item_hash,
        sample_index,
        answer_text,
        score,
        per_character_score,
        is_tie,
        unscored_reason
    from all_scores
)

select * from final
