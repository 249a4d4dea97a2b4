{% macro benjamini_hochberg_q(p_value, p_rank, p_count, partition) -%}
{#- Benjamini-Hochberg adjusted p-value (JRSS B 1995, 57:289-300): the smallest p m / rank among
    the tests with this rank or a higher one. `p_rank` numbers the tests of a family by rising
    p-value from 1 without gaps, `p_count` is m, the size of the family. -#}
    least(1, min({{ p_value }} * {{ p_count }} / {{ p_rank }}) over (
        partition by {{ partition }} order by {{ p_rank }} desc
    ))
{%- endmacro %}
