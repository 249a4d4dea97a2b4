with

completed as (
    {{ samples_to_score('answer') }}
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
    select
        item_hash,
        scorer_id,
        any_value(golds) as golds
    from completed
    where scorer_id in ('any_alias', 'squad2_exact', 'squad2_exact_with_unanswerable')
    group by item_hash, scorer_id
),

golds as (
    select
        item_hash,
        scorer_id,
        unnest(golds) as gold
    from asked_items
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
                        = try_cast(answers.golds[1] as double),
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
