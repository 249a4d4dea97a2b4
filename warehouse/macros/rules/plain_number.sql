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
