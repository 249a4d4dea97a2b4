{% macro effective_count(score, standard_error, cluster_count, item_count) -%}
{#- How many independent right-or-wrong items would tell as much, for Wilson's interval of a mean of
    clustered items: those with the same standard error, and fewer by as much as Student's t with
    one degree of freedom per cluster is wider than with one per item (Korn and Graubard 1998,
    Survey Methodology 24:193-201). Where all items agree, and the standard error is zero, the
    clusters. Null where there is no standard error. -#}
    case
        when {{ standard_error }} > 0
            then
                {{ score }} * (1 - {{ score }}) / power({{ standard_error }}, 2)
                * power(
                    student_t_quantile(0.975, {{ item_count }} - 1.0)
                    / student_t_quantile(0.975, {{ cluster_count }} - 1.0),
                    2
                )
        when {{ standard_error }} = 0 then {{ cluster_count }}
    end
{%- endmacro %}
