{% macro clustered_standard_error(squared_deviation_sum, variance, cluster_count, item_count) -%}
{#- Standard error of a mean over items that come in clusters: the root of the sum over clusters of
    their squared summed deviations, over the number of items, with the factor G / (G - 1) for G
    clusters (Liang and Zeger 1986, Biometrika 73:13-22; for evaluations: Miller 2024, arXiv
    2411.00640, equation 4). With items that are their own clusters it is the ordinary one, which
    is also its lower bound here: of a few clusters it can come out near zero by chance. Null for
    fewer than two clusters. `variance` is that of the items, with n - 1. -#}
    case
        -- Where all items agree, deviations are what rounding left of the mean.
        when {{ cluster_count }} >= 2 and {{ variance }} = 0 then 0.0
        when {{ cluster_count }} >= 2
            then
                greatest(
                    sqrt(
                        {{ squared_deviation_sum }} * {{ cluster_count }} / ({{ cluster_count }} - 1)
                    ) / {{ item_count }},
                    sqrt({{ variance }} / {{ item_count }})
                )
    end
{%- endmacro %}
