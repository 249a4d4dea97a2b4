{{ config(pre_hook='{{ require_rules() }}') }}

with

completed as (
    {{ samples_to_score('answer') }}
),

answers as (
    select
        *,
        case scorer_id
            {% for scorer_id in scorers_with('answer') %}
                when '{{ scorer_id }}'
                    then {{ rule('answer', scorer_id, 'completion_text') }}
            {% endfor %}
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
    where scorer_id in ('{{ scorers_with('gold_form') | join("', '") }}')
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
            case scorer_id
                {% for scorer_id in scorers_with('gold_form') %}
                    when '{{ scorer_id }}'
                        then {{ rule('gold_form', scorer_id, 'gold') }}
                {% endfor %}
            end
        ) as forms
    from golds
    group by item_hash, scorer_id
),

scored as (
    select
        answers.*,
        case answers.scorer_id
            {% for scorer_id in scorers_with('score') %}
                when '{{ scorer_id }}'
                    then
                        {{ rule(
                            'score',
                            scorer_id,
                            'answers.answer_text',
                            'answers.target',
                            'answers.golds',
                            'gold_forms.forms'
                        ) }}
            {% endfor %}
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
