{% macro make_table(target_relation, new_relation) -%}
{#- Makes the table of the dbt model at hand anew, in one transaction: if it fails, what was there
    stays. Rows of Python are in `new_relation` already: they come over a connection of their own,
    which a transaction would not see. -#}
    {%- set old_relation = load_cached_relation(this) or target_relation -%}
    {% call statement('main' if model.language == 'sql' else none) %}
        drop {{ old_relation.type }} if exists {{ target_relation }};
        {% if model.language == 'sql' %}
            {{ create_table_as(false, target_relation, model.compiled_code) }};
        {% else %}
            alter table {{ new_relation }} rename to {{ target_relation.identifier }};
        {% endif %}
        {{ comments(target_relation) }}
    {% endcall %}
{%- endmacro %}
