{% macro answer_of_last_number(completion) -%}
    {{ last_number(completion) }}
{%- endmacro %}

{% macro score_of_last_number(answer, target, golds, gold_forms) -%}
    coalesce(
        try_cast({{ answer }} as double) = try_cast({{ golds }}[1] as double), false
    )::double
{%- endmacro %}

{% macro last_number(completion) -%}
{#- The answer of a completion to MGSM in lm-evaluation-harness-jp: its last number, if that is a
    whole one, otherwise `[invalid]`. Full-width digits are no digits here, and several points
    make no number. -#}
    coalesce(
        case
            when
                isfinite({{ last_number_value(completion) }})
                and {{ last_number_value(completion) }} = floor({{ last_number_value(completion) }})
                then format('{:.0f}', {{ last_number_value(completion) }} + 0.0)
        end,
        '[invalid]'
    )
{%- endmacro %}

{% macro last_number_value(completion) -%}
    try_cast(
        replace(
            trim(regexp_extract_all({{ completion }}, '-?[0-9.,]+')[-1], '.'), ',', ''
        ) as double
    )
{%- endmacro %}
