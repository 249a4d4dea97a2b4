{% macro fisher_bound(correlation, standard_error, quantile, side) -%}
{#- One end of an interval of a correlation: symmetric on the scale of Fisher's z = atanh(r)
    (Fisher 1921), carried back to r. Null for |r| = 1, where z is infinite, and wherever an
    argument is null. `side` is '-' or '+'. -#}
    case
        when abs({{ correlation }}) < 1
            then tanh(atanh({{ correlation }}) {{ side }} {{ quantile }} * {{ standard_error }})
    end
{%- endmacro %}
