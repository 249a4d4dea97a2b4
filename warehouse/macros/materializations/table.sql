{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
{#- The adapter's own makes the table under another name and renames twice, which takes longer than
    the SQL of most tables here. -#}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set new_relation = make_intermediate_relation(target_relation) -%}
    {{ run_hooks(pre_hooks) }}
    {% if model.language == 'python' %}
        {% call statement(auto_begin=false) %}drop table if exists {{ new_relation }}{% endcall %}
        {% call statement('main', language='python') %}
            {{- create_table_as(false, new_relation, compiled_code, 'python') }}
        {% endcall %}
    {% endif %}
    {% do make_table(target_relation, new_relation) %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
