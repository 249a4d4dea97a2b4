{% materialization view, adapter='duckdb' %}
{#- A view that replaces what was there, in one transaction: if it fails, the old one stays. The
    adapter's own makes it under another name and renames twice, which takes longer. Relations are
    named without the database, which is called otherwise where a copy of the file is opened, or
    the file is attached: DuckDB then looks in the view's own. -#}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set existing_relation = load_cached_relation(this) or target_relation -%}
    {%- set database = target_relation.include(schema=false, identifier=false) ~ '.' -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('main') %}
        drop {{ existing_relation.type }} if exists {{ target_relation }};
        {{ get_create_view_as_sql(target_relation, sql | replace(database, '')) }}
        {{ comments(target_relation) }}
    {% endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
