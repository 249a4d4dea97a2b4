{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='piece_id',
    on_schema_change='fail',
    post_hook='{{ forget_lost_runs() }}'
) }}

with

pieces as (
    {{ pieces_to_score('answer') }}
),

samples as (
    select * from {{ ref('int_samples') }}
),

generations as (
    select * from {{ ref('stg_generations') }}
),

items as (
    select * from {{ ref('stg_items') }}
),

completed as (
    select
        pieces.piece_id,
        pieces.content_key,
        pieces.run_id,
        pieces.benchmark_id,
        pieces.scorer_id,
        pieces.scorer_version,
        samples.item_hash,
        samples.sample_index,
        samples.target,
        samples.golds[1] as first_gold,
        generations.completion_text
    from pieces
    inner join samples
        on
            pieces.run_id = samples.run_id
            and pieces.benchmark_id = samples.benchmark_id
            and pieces.scorer_id = samples.scorer_id
    inner join generations on samples.request_id = generations.request_id
),

answers as (
    select
        *,
        case
            when scorer_id in ('nfkc_exact_match', 'character_f1')
                then {{ first_paragraph('completion_text') }}
            when scorer_id = 'any_alias' then regexp_replace(completion_text, '^ ', '')
            when scorer_id = 'last_number' then {{ last_number('completion_text') }}
            when scorer_id = 'gsm8k_strict' then {{ number_after_hashes('completion_text') }}
            when scorer_id = 'the_answer_is' then {{ after_the_answer_is('completion_text') }}
            else completion_text
        end as answer_text
    from completed
),

-- Golds are brought into the form of comparison once per item, not once per model.
asked_items as (
    select distinct
        samples.item_hash,
        pieces.scorer_id
    from pieces
    inner join samples
        on pieces.run_id = samples.run_id and pieces.benchmark_id = samples.benchmark_id
    where pieces.scorer_id in ('any_alias', 'squad2_exact', 'squad2_exact_with_unanswerable')
),

golds as (
    select
        asked_items.item_hash,
        asked_items.scorer_id,
        unnest(items.golds) as gold
    from asked_items
    inner join items on asked_items.item_hash = items.item_hash
),

gold_forms as (
    select
        item_hash,
        scorer_id,
        list(
            case
                when scorer_id = 'any_alias' then {{ alias_form('gold') }}
                else squad_form(gold)
            end
        ) as forms
    from golds
    group by item_hash, scorer_id
),

scored as (
    select
        answers.*,
        case
            when answers.scorer_id = 'nfkc_exact_match'
                then (answers.answer_text = nfkc(answers.target))::double
            when answers.scorer_id = 'character_f1'
                then token_sort_ratio(answers.answer_text, nfkc(answers.target)) / 100
            when answers.scorer_id = 'any_alias'
                then
                    list_contains(
                        coalesce(gold_forms.forms, []), {{ alias_form('answers.answer_text') }}
                    )::double
            when answers.scorer_id in ('squad2_exact', 'squad2_exact_with_unanswerable')
                then
                    list_contains(
                        {{ squad_golds('gold_forms.forms', 'answers.scorer_id') }},
                        squad_form(answers.answer_text)
                    )::double
            when answers.scorer_id = 'last_number'
                then
                    coalesce(
                        try_cast(answers.answer_text as double)
                        = try_cast(answers.first_gold as double),
                        false
                    )::double
            when answers.scorer_id = 'gsm8k_strict'
                then
                    (
                        {{ plain_number('answers.answer_text') }}
                        = {{ plain_number('answers.target') }}
                    )::double
            when answers.scorer_id = 'the_answer_is'
                then (answers.answer_text = answers.target)::double
        end as score
    from answers
    left join gold_forms
        on
            answers.item_hash = gold_forms.item_hash
            and answers.scorer_id = gold_forms.scorer_id
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
        null::double as per_character_score,
        null::boolean as is_tie,
        null::varchar as unscored_reason
    from scored
)

select * from final
