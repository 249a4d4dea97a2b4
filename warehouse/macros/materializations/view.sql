{% materialization view, adapter='duckdb' %}
{#- A view that replaces what was there, in one transaction: if it fails, the old one stays. The
    adapter's own makes it under another name and renames twice, which takes longer. -#}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set existing_relation = load_cached_relation(this) or target_relation -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') %}
        drop {{ existing_relation.type }} if exists {{ target_relation }};
        {{ get_create_view_as_sql(target_relation, sql) }}
        {{ comments(target_relation) }}
    {% endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
