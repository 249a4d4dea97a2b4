{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] %}
{#- Rows replace those with the same `unique_key`, in one transaction. The adapter's own takes ten
    queries where nothing is new, and leaves the table of new rows of a Python model behind. -#}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set new_relation = make_intermediate_relation(target_relation) -%}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set key = config.require('unique_key') -%}
    {{ run_hooks(pre_hooks) }}
    {% if model.language == 'python' %}
        {% call statement(auto_begin=false) %}drop table if exists {{ new_relation }}{% endcall %}
        {% call statement('main', language='python') %}
            {{- create_table_as(false, new_relation, compiled_code, 'python') }}
        {% endcall %}
    {% endif %}
    {% if existing_relation is none or existing_relation.is_view or should_full_refresh() %}
        {% do make_table(target_relation, new_relation) %}
    {% else %}
        {% if model.language == 'sql' %}
            {% call statement('main') %}
                drop table if exists {{ new_relation }};
                {{ create_table_as(false, new_relation, compiled_code) }}
            {% endcall %}
        {% endif %}
        {% do assert_same_columns(target_relation, new_relation) %}
        {% call statement() %}
            delete from {{ target_relation }}
            where {{ key }} in (select {{ key }} from {{ new_relation }});
            insert into {{ target_relation }} by name select * from {{ new_relation }};
            drop table {{ new_relation }};
            {{ comments(target_relation) }}
        {% endcall %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
