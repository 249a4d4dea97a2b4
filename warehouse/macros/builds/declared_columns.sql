{% macro declared_columns() -%}
    {#- The columns that the YAML declares of this dbt model, in their order; linters know none. -#}
    {{ model.columns | join(', ') if model is defined else 'null as declared_column' }}
{%- endmacro %}
