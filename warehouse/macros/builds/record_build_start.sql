{% macro record_build_start() -%}
{#- Opens this build's row in meta.builds. A build that is killed never closes it, so that a reader
    can tell. -#}
{%- if execute and flags.WHICH == 'build' -%}
{%- set is_full = not (
    invocation_args_dict.get('select') or invocation_args_dict.get('exclude')
    or invocation_args_dict.get('resource_types') or invocation_args_dict.get('selector')
) -%}
    create schema if not exists meta;
    create table if not exists meta.builds (
        invocation_id varchar primary key,
        started_at timestamp not null,
        finished_at timestamp,
        is_full boolean not null,
        is_success boolean,
        node_count integer,
        failed_count integer
    );
    insert into meta.builds (invocation_id, started_at, is_full) values (
        '{{ invocation_id }}',
        '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}',
        {{ is_full | lower }}
    );
{%- endif -%}
{%- endmacro %}
