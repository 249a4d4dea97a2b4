{% macro gold_form_of_squad2_exact(gold) -%}
    squad_form({{ gold }})
{%- endmacro %}

{% macro score_of_squad2_exact(answer, target, golds, gold_forms) -%}
    list_contains(
        {{ squad_golds(gold_forms, "['']") }}, squad_form({{ answer }})
    )::double
{%- endmacro %}
