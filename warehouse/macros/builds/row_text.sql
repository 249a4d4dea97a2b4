{% macro row_text(columns) -%}
{#- A row by its key, as text: the names of the columns with their values. -#}
    concat_ws(
        ', '
        {%- for column in columns %}, '{{ column }}=' || coalesce({{ column }}::varchar, 'null')
        {%- endfor %}
    )
{%- endmacro %}
