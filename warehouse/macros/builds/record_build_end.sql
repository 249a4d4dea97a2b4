{% macro record_build_end(results) -%}
{#- Closes this build's row in meta.builds, and keeps account of the nodes that have not succeeded in
    this file: it is published if there is none. A test with the meta `reports` tells of data that
    were set aside: it may fail. -#}
{%- if execute and flags.WHICH in ['build', 'run', 'seed', 'snapshot', 'test'] -%}
{%- set failed, succeeded = [], [] -%}
{%- for result in results if result.node.resource_type != 'exposure' -%}
    {%- set is_report =
        result.status == 'fail'
        and result.node.resource_type == 'test'
        and result.node.config.meta.get('reports')
    -%}
    {%- if result.status in ['success', 'pass', 'warn', 'no-op'] or is_report -%}
        {%- do succeeded.append(result.node.unique_id) -%}
    {%- else -%}
        {%- do failed.append(result.node.unique_id) -%}
    {%- endif -%}
{%- endfor -%}
{%- set nodes = project_nodes() -%}
    delete from meta.unfinished_nodes
    where
        list_contains({{ text_list(succeeded) }}, unique_id)
        or not list_contains({{ text_list(nodes) }}, unique_id);
    insert into meta.unfinished_nodes
    select unnest({{ text_list(failed | select('in', nodes) | list) }})
    except
    select unique_id from meta.unfinished_nodes;
    update meta.builds
    set
        finished_at = now() at time zone 'UTC',
        is_success = {{ (failed | length == 0) | lower }},
        node_count = {{ results | length }},
        failed_count = {{ failed | length }}
    where invocation_id = '{{ invocation_id }}';
{%- endif -%}
{%- endmacro %}
