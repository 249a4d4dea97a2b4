{% macro pass_at(k, sample_count, passed_count) -%}
{#- Chance that one of `k` samples passes, from more samples than that: 1 - C(n - c, k) / C(n, k)
    for c of n passed, without bias (Chen et al. 2021, arXiv 2107.03374, equation 1), as a product
    that does not overflow. Null for fewer samples than `k`. -#}
    case
        when {{ sample_count }} < {{ k }} then null
        when {{ sample_count }} - {{ passed_count }} < {{ k }} then 1.0
        when {{ passed_count }} = 0 then 0.0
        else
            1.0 - list_product(list_transform(
                range({{ sample_count }} - {{ passed_count }} + 1, {{ sample_count }} + 1),
                lambda i: 1.0 - {{ k }} / i
            ))
    end
{%- endmacro %}
