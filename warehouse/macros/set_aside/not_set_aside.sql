{% macro not_set_aside(relation, columns=('benchmark_id', 'protocol_version')) -%}
{#- Whether nothing is set aside of the run, benchmark and protocol version that are in columns of
    `relation`; or, with fewer `columns`, of all that those leave open. What is wrong with the whole
    run says no benchmark. -#}
    not exists (
        select 1
        from {{ ref('int_set_aside') }} as set_aside
        where
            set_aside.run_id = {{ relation }}.run_id
            {%- for column in columns %}
            and coalesce(set_aside.{{ column }} = {{ relation }}.{{ column }}, true)
            {%- endfor %}
    )
{%- endmacro %}
