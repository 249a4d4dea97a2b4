{% macro comments(relation) -%}
{#- Statements that write the descriptions of the dbt model at hand into the DuckDB file: one text,
    to be run with what makes the relation. dbt's `persist_docs` takes two queries more for each. -#}
    comment on {{ relation.type }} {{ relation }} is {{ duckdb_escape_comment(model.description) }};
    {%- for name, column in model.columns.items() if column.description %}
    comment on column {{ relation }}.{{ name }} is {{ duckdb_escape_comment(column.description) }};
    {%- endfor %}
{%- endmacro %}
