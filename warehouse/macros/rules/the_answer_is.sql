{% macro answer_of_the_answer_is(completion) -%}
    {{ after_the_answer_is(completion) }}
{%- endmacro %}

{% macro score_of_the_answer_is(answer, target, golds, gold_forms) -%}
    ({{ answer }} = {{ target }})::double
{%- endmacro %}

{% macro after_the_answer_is(completion) -%}
{#- The answer of a completion to BBH in lm-evaluation-harness 0.4.2: what follows the first
    `the answer is ` on its line, less the line's last character, which should be the full stop;
    otherwise `[invalid]`. -#}
    if(
        regexp_matches({{ completion }}, 'the answer is [^\n]'),
        {{ stripped("regexp_extract(" ~ completion ~ ", 'the answer is ([^\\n]*)[^\\n]', 1)") }},
        '[invalid]'
    )
{%- endmacro %}
