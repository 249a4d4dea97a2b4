{% macro require_rules() %}
{#- Fails, naming it, if a scorer of kind `answer` is registered and has no rule. #}
    select
        error(
            'The scorer ' || scorers.scorer_id || ' is registered in warehouse/seeds/scorers.csv as'
            || ' one of kind answer and has no rule: add warehouse/macros/rules/'
            || scorers.scorer_id || '.sql with a macro score_of_' || scorers.scorer_id
            || ', as the rules there have'
        ) as message
    from {{ ref('stg_scorers') }} as scorers
    where
        scorers.scorer_kind = 'answer'
        and scorers.scorer_id not in ('{{ scorers_with('score') | join("', '") }}')
{% endmacro %}
