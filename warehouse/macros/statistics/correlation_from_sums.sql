{% macro correlation_from_sums(n, x, y, xx, yy, xy) -%}
{#- Pearson correlation from the sums of the values, their squares and products. The values have
    to be centred or ranks, or the differences cancel. Null where a variance is zero, up to
    rounding: below 1e-12 of the sum of squares. -#}
    case
        when
            {{ xx }} - {{ x }} * {{ x }} / {{ n }} > 1e-12 * {{ xx }}
            and {{ yy }} - {{ y }} * {{ y }} / {{ n }} > 1e-12 * {{ yy }}
            then greatest(-1, least(1, (
                {{ xy }} - {{ x }} * {{ y }} / {{ n }}
            ) / sqrt(
                ({{ xx }} - {{ x }} * {{ x }} / {{ n }})
                * ({{ yy }} - {{ y }} * {{ y }} / {{ n }})
            )))
    end
{%- endmacro %}
