{% macro answer_of_character_f1(completion) -%}
    {{ first_paragraph(completion) }}
{%- endmacro %}

{% macro score_of_character_f1(answer, target, golds, gold_forms) -%}
    token_sort_ratio({{ answer }}, nfkc({{ target }})) / 100
{%- endmacro %}
