{% macro answer_of_nfkc_exact_match(completion) -%}
    {{ first_paragraph(completion) }}
{%- endmacro %}

{% macro score_of_nfkc_exact_match(answer, target, golds, gold_forms) -%}
    ({{ answer }} = nfkc({{ target }}))::double
{%- endmacro %}
