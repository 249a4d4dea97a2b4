{% macro record_build_start() -%}
{#- Opens this build's row in meta.builds. Builds are numbered: a clock can be turned back. A file
    that has no meta.unfinished_nodes yet is empty, or was written by a version of this project that
    built in place: whether it is complete, its builds tell. -#}
{%- if execute and flags.WHICH in ['build', 'run', 'seed', 'snapshot', 'test'] -%}
{%- set nodes = project_nodes() -%}
    create schema if not exists meta;
    create table if not exists meta.builds (
        invocation_id varchar primary key,
        started_at timestamp not null,
        finished_at timestamp,
        is_full boolean not null,
        is_success boolean,
        node_count integer,
        failed_count integer,
        build_number integer,
        command varchar
    );
    alter table meta.builds add column if not exists build_number integer;
    alter table meta.builds add column if not exists command varchar;
    update meta.builds
    set build_number = numbered.build_number, command = 'build'
    from (
        select
            invocation_id,
            row_number() over (order by started_at, invocation_id) as build_number
        from meta.builds
    ) as numbered
    where meta.builds.invocation_id = numbered.invocation_id and meta.builds.build_number is null;
    create table if not exists meta.unfinished_nodes as
    select unnest({{ text_list(nodes) }}) as unique_id
    where not coalesce(
        (
            select bool_and(coalesce(is_success, false))
            from meta.builds
            where build_number >= (select max(build_number) from meta.builds where is_full)
        ),
        false
    );
    insert into meta.builds (invocation_id, started_at, is_full, build_number, command)
    select
        '{{ invocation_id }}',
        '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}',
        {{ (nodes | reject('in', selected_resources) | list | length == 0) | lower }},
        coalesce(max(build_number), 0) + 1,
        '{{ flags.WHICH }}'
    from meta.builds;
{%- endif -%}
{%- endmacro %}
