{% macro assert_same_columns(held_relation, new_relation) -%}
{#- Stops a dbt model whose new rows have other columns, or of other types, than those it holds. -#}
    {%- set of_relation -%}
        select column_name || ' ' || data_type as column_type
        from duckdb_columns()
        where
            database_name = '{{ held_relation.database }}'
            and schema_name = '{{ held_relation.schema }}'
            and table_name =
    {%- endset -%}
    {%- set held = of_relation ~ " '" ~ held_relation.identifier ~ "'" -%}
    {%- set new = of_relation ~ " '" ~ new_relation.identifier ~ "'" -%}
    {%- set differing = run_query(
        '(' ~ held ~ ' except ' ~ new ~ ') union (' ~ new ~ ' except ' ~ held ~ ')'
    ) -%}
    {%- if differing.rows -%}
        {%- do exceptions.raise_compiler_error(
            'The columns of ' ~ held_relation.identifier ~ ' have changed: '
            ~ differing.columns[0].values() | join(', ')
            ~ '. Make the table anew: dbt build --full-refresh -s ' ~ held_relation.identifier
        ) -%}
    {%- endif -%}
{%- endmacro %}
