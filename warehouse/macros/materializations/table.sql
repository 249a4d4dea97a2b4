{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
{#- A table that replaces what was there, in one transaction: if it fails, the old one stays. The
    adapter's own makes it under another name and renames twice, which takes longer than most of the
    tables here. -#}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing_relation = load_cached_relation(this) or target_relation -%}
    {%- set drop_existing = 'drop ' ~ existing_relation.type ~ ' if exists ' ~ target_relation -%}
    {{ run_hooks(pre_hooks) }}
    {% if model['language'] == 'python' %}
        {#- Its rows come over a connection of their own, which sees nothing uncommitted. -#}
        {%- set new_relation = make_intermediate_relation(target_relation) -%}
        {% call statement(auto_begin=false) %}drop table if exists {{ new_relation }}{% endcall %}
        {% call statement('main', language='python') %}
            {{- create_table_as(false, new_relation, compiled_code, 'python') }}
        {% endcall %}
        {% call statement() %}
            {{ drop_existing }};
            alter table {{ new_relation }} rename to {{ target_relation.identifier }};
            {{ comments(target_relation) }}
        {% endcall %}
    {% else %}
        {% call statement('main') %}
            {{ drop_existing }};
            {{ create_table_as(false, target_relation, compiled_code) }};
            {{ comments(target_relation) }}
        {% endcall %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
