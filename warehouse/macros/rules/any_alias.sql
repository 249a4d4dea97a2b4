{% macro answer_of_any_alias(completion) -%}
    regexp_replace({{ completion }}, '^ ', '')
{%- endmacro %}

{% macro gold_form_of_any_alias(gold) -%}
    {{ alias_form(gold) }}
{%- endmacro %}

{% macro score_of_any_alias(answer, target, golds, gold_forms) -%}
    list_contains(coalesce({{ gold_forms }}, []), {{ alias_form(answer) }})::double
{%- endmacro %}

{% macro alias_form(text) -%}
{#- The form in which lm-evaluation-harness compares TriviaQA's answers: lower case, without ASCII
    punctuation. -#}
    regexp_replace(full_lower({{ text }}), '[!-/:-@\[-`{-~]', '', 'g')
{%- endmacro %}
