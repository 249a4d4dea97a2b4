{% macro answer_of_gsm8k_strict(completion) -%}
    {{ number_after_hashes(completion) }}
{%- endmacro %}

{% macro score_of_gsm8k_strict(answer, target, golds, gold_forms) -%}
    ({{ plain_number(answer) }} = {{ plain_number(target) }})::double
{%- endmacro %}

{% macro number_after_hashes(completion) -%}
{#- The answer of a completion to GSM8K in lm-evaluation-harness 0.4.2 (strict-match): the number
    after the first `#### `, otherwise `[invalid]`. -#}
    if(
        regexp_matches({{ completion }}, '#### (-?[0-9.,]+)'),
        regexp_extract({{ completion }}, '#### (-?[0-9.,]+)', 1),
        '[invalid]'
    )
{%- endmacro %}

{% macro plain_number(text) -%}
{#- What GSM8K's strict-match compares: `text` without commas and dollar signs, without all that
    stands before its last `#### `, without a full stop at its end, in lower case. -#}
    full_lower(regexp_replace(
        regexp_replace(
            replace(replace({{ text }}, ',', ''), '$', ''), '(?s).*#### ', '', 'g'
        ),
        -- An end before a line break is an end, too, as in Python.
        '\.(\n?)$',
        '\1'
    ))
{%- endmacro %}
