{% macro rule(part, scorer_id) %}
{#- SQL of a part of the scorer's rule, of the arguments that follow; see scorers_with. -#}
{{- context[part ~ '_of_' ~ scorer_id](*varargs) -}}
{% endmacro %}
