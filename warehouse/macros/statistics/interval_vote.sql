{% macro interval_vote(ci_low, ci_high, region_low, region_high) -%}
    {#- What an interval says of a claim that its estimand lies between two bounds, null being none:
        for (all of it does), against (none of it does) or open (some does, or there is none). -#}
    case
        when {{ ci_low }} is null or {{ ci_high }} is null then 'open'
        when
            {{ ci_low }} > coalesce({{ region_low }}, '-infinity'::double)
            and {{ ci_high }} < coalesce({{ region_high }}, 'infinity'::double)
            then 'for'
        when
            {{ ci_high }} <= coalesce({{ region_low }}, '-infinity'::double)
            or {{ ci_low }} >= coalesce({{ region_high }}, 'infinity'::double)
            then 'against'
        else 'open'
    end
{%- endmacro %}
