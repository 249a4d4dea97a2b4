{% macro record_build_end(results) -%}
{#- Closes this build's row in meta.builds, so that a reader can tell a complete warehouse from one
    that a failed build left half new. A build of a selection (`is_full` false) does not make a
    warehouse complete again. -#}
{%- if execute and flags.WHICH == 'build' -%}
{%- set failed = results | selectattr('status', 'in', ['error', 'fail', 'skipped']) | list -%}
    update meta.builds
    set
        finished_at = now() at time zone 'UTC',
        is_success = {{ (failed | length == 0) | lower }},
        node_count = {{ results | length }},
        failed_count = {{ failed | length }}
    where invocation_id = '{{ invocation_id }}';
{%- endif -%}
{%- endmacro %}
