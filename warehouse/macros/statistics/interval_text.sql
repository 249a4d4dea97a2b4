{% macro interval_text(estimate, low, high) -%}
{#- An estimate with its interval, short enough to be read in a terminal: `0.91 [0.83, 0.95]`, and
    `0.91 [?]` where there is no interval. -#}
    case
        when {{ low }} is null or {{ high }} is null then format('{:.2f} [?]', {{ estimate }})
        else format('{:.2f} [{:.2f}, {:.2f}]', {{ estimate }}, {{ low }}, {{ high }})
    end
{%- endmacro %}
