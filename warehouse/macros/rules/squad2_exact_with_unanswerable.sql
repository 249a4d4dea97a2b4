{% macro gold_form_of_squad2_exact_with_unanswerable(gold) -%}
    squad_form({{ gold }})
{%- endmacro %}

{% macro score_of_squad2_exact_with_unanswerable(answer, target, golds, gold_forms) -%}
    list_contains(
        {{ squad_golds(gold_forms, "['', 'unanswerable']") }}, squad_form({{ answer }})
    )::double
{%- endmacro %}
