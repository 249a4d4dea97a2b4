{% macro rule(part, scorer_id) -%}
    {{ context[part ~ '_of_' ~ scorer_id](*varargs) }}
{%- endmacro %}
