{% macro wilson_bound(score, item_count, side, z=none) -%}
{#- One end of the score interval of a mean (Wilson 1927, JASA 22:209-212): the values of the true
    mean m with |score - m| <= z sqrt(m (1 - m) / n). It stays within [0, 1] and does not collapse
    at 0 and 1. `side` is '-' or '+'; `z` is that of a 95% interval unless given. Null where there
    is no count, which least() and greatest() would pass over. -#}
    case when {{ score }} is not null and {{ item_count }} > 0 then least(1, greatest(0, (
        {{ score }} + power({{ z or var('z_95') }}, 2) / (2 * {{ item_count }})
        {{ side }} {{ z or var('z_95') }} * sqrt(
            {{ score }} * (1 - {{ score }}) / {{ item_count }}
            + power({{ z or var('z_95') }} / (2 * {{ item_count }}), 2)
        )
    ) / (1 + power({{ z or var('z_95') }}, 2) / {{ item_count }}))) end
{%- endmacro %}
