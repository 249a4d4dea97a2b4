{% macro project_nodes() -%}
    {#- The ids of all that has to succeed for a warehouse to be complete. Unit tests say nothing
        of it. -#}
    {{ return(
        graph.nodes.values()
        | selectattr('resource_type', 'in', ['seed', 'model', 'snapshot', 'test'])
        | map(attribute='unique_id')
        | sort
    ) }}
{%- endmacro %}
