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
