{% macro broken_records(table, named_by, references={}) -%}
{#- The rows of a table of the raw store that break a rule: of records.py, of its key, of
    `references` ({column: [dbt model, its column]}). One row per rule and row that breaks it, with
    the rule in words, the row's key, what was found, and `named_by`: the columns by which
    int_set_aside finds whose numbers are made of the row ({column of int_broken_records: SQL}).
    Most rows keep all rules: each is read once for those of its columns. -#}
{%- set declared = record_rules()[table] -%}
{%- set relation = ref('stg_' ~ table) -%}
{%- set key = declared['key'] | join(', ') -%}
{%- if declared['rules'] %}
    select
        {{ broken_record(table, "broken['rule']", declared['key'], "broken['found']", named_by) }}
    from (
        select
            *,
            unnest([
                {%- for column, condition, sentence in declared['rules'] %}
                case
                    when ({{ condition }}) is not true
                        then struct_pack(
                            rule := '{{ column }}: {{ sentence | replace("'", "''") }}',
                            found := left({{ column }}::varchar, 100)
                        )
                end{{ ',' if not loop.last }}
                {%- endfor %}
            ]) as broken
        from {{ relation }}
        where
            not coalesce(
                {% for _, condition, _ in declared['rules'] -%}
                ({{ condition }}){{ ' and ' if not loop.last }}
                {%- endfor %},
                false
            )
    ) as one_by_one
    where broken is not null
    union all
{%- endif %}
{%- for column, (model, field) in references.items() %}
    select
        {{ broken_record(
            table, "'" ~ column ~ ": it is in " ~ model ~ "'", declared['key'], column, named_by
        ) }}
    from {{ relation }}
    where {{ column }} not in (select {{ field }} from {{ ref(model) }})
    union all
{%- endfor %}
    {{ repeated_records(
        table, relation, declared['key'], key ~ ': there are no two rows', declared['key'], named_by
    ) }}
{%- endmacro %}


{% macro repeated_records(table, relation, columns, rule, key, named_by, condition='true') -%}
{#- The rows, in the columns of broken_records, that are the same in `columns`. They are compared
    only where their hashes are equal: of millions, that takes a fifth of the time. -#}
{%- set columns = columns | join(', ') %}
    select
        {{ broken_record(table, "'" ~ rule ~ "'", key, "same_count || ' rows'", named_by) }}
    from (
        select
            *,
            count(*) over (partition by {{ columns }}) as same_count
        from {{ relation }}
        where
            ({{ condition }})
            and hash({{ columns }}) in (
                select hash({{ columns }})
                from {{ relation }}
                where {{ condition }}
                group by all
                having count(*) > 1
            )
    ) as alike
    where same_count > 1
{%- endmacro %}


{% macro broken_record(table, rule, key, found, named_by) -%}
    '{{ table }}' as table_name,
        {{ rule }} as rule,
        {{ row_text(key) }} as row_key,
        {{ found }}::varchar as found
        {%- for column in [
            'run_id', 'benchmark_id', 'protocol_version', 'session_id', 'prompt_id', 'request_id',
            'item_hash'
        ] %},
        {{ named_by.get(column, 'null') }}::varchar as {{ column }}
        {%- endfor %}
{%- endmacro %}
