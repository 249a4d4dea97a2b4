{% macro run_benchmark_id(relation) -%}
{#- Name of a run's samples of a benchmark under a version of its protocol. Version 1 has the name
    that it had before there were others, so that what is held of it stays. -#}
    concat_ws(
        ' ',
        {{ relation }}.run_id,
        {{ relation }}.benchmark_id,
        nullif({{ relation }}.protocol_version, '1')
    )
{%- endmacro %}
