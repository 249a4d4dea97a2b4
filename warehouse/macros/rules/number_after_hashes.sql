{% macro number_after_hashes(completion) -%}
{#- The answer of a completion to GSM8K in lm-evaluation-harness 0.4.2 (strict-match): the number
    after the first `#### `, otherwise `[invalid]`. -#}
    if(
        regexp_matches({{ completion }}, '#### (-?[0-9.,]+)'),
        regexp_extract({{ completion }}, '#### (-?[0-9.,]+)', 1),
        '[invalid]'
    )
{%- endmacro %}
