{% macro broken_rules(
    relation, key, unique_columns=[], not_null=[], proportions=[], rounded_proportions=[],
    correlations=[], at_least={}, accepted_values={}, references={}
) -%}
{#- One query for all rules of a table, since dbt takes more time to run a test than DuckDB to read
    the rows: a row per rule and row that breaks it, with the rule in words, the row's key and what
    was found. Null is unknown and breaks no rule but `not_null`; NaN is within no range. `key` is
    unique and names the rows; `unique_columns` are unique too, each by itself. `references` are
    {column: {to: relation, field: its column, where: condition}}, the last two optional. -#}
{%- set rules = [] -%}
{%- for column in not_null -%}
    {%- do rules.append((column, 'is not null', column ~ ' is null')) -%}
{%- endfor -%}
{%- for column in proportions -%}
    {%- do rules.append((
        column, 'is between 0 and 1',
        'isnan(' ~ column ~ '::double) or ' ~ column ~ ' < 0 or ' ~ column ~ ' > 1'
    )) -%}
{%- endfor -%}
{#- What a library has rounded may be a hair above 1. -#}
{%- for column in rounded_proportions -%}
    {%- do rules.append((
        column, 'is between 0 and 1, rounding apart',
        'isnan(' ~ column ~ '::double) or ' ~ column ~ ' < 0 or ' ~ column ~ ' > 1 + 1e-9'
    )) -%}
{%- endfor -%}
{%- for column in correlations -%}
    {%- do rules.append((
        column, 'is between -1 and 1', 'isnan(' ~ column ~ '::double) or abs(' ~ column ~ ') > 1'
    )) -%}
{%- endfor -%}
{%- for column, minimum in at_least.items() -%}
    {%- do rules.append((column, 'is at least ' ~ minimum, column ~ ' < ' ~ minimum)) -%}
{%- endfor -%}
{%- for column, values in accepted_values.items() -%}
    {%- do rules.append((
        column, 'is one of ' ~ values | join(', '),
        column ~ " not in ('" ~ values | join("', '") ~ "')"
    )) -%}
{%- endfor -%}
{%- for column, reference in references.items() -%}
    {%- set field = reference.field or column -%}
    {%- do rules.append((
        column, 'is in ' ~ reference.to.identifier,
        '(' ~ (reference.where or 'true') ~ ') and ' ~ column ~ ' not in (select ' ~ field
        ~ ' from ' ~ reference.to ~ ' where ' ~ field ~ ' is not null)'
    )) -%}
{%- endfor -%}
{%- for column, rule, condition in rules %}
    select
        '{{ column }} {{ rule }}' as rule,
        {{ row_text(key) }} as row_key,
        {{ column }}::varchar as found
    from {{ relation }}
    where {{ condition }}
    union all
{%- endfor %}
    {{ repeated_rows(relation, key) }}
{%- for column in unique_columns %}
    union all
    {{ repeated_rows(relation, [column]) }}
{%- endfor %}
{%- endmacro %}
