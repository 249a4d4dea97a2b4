{% macro print_failing_rows(results, row_limit=5) -%}
{#- Prints the first rows of each failed data test to the terminal, of each rule if it has several,
    so that a failure names its culprits without a further query. All of them are in the schema
    `test_failures`. -#}
{%- if execute -%}
{%- for result in results
    if result.status in ['fail', 'warn'] and result.node.resource_type == 'test'
       and result.node.relation_name -%}
    {%- set found = 'select * from ' ~ result.node.relation_name -%}
    {%- set columns = run_query(found ~ ' limit 0').column_names -%}
    {%- set rows = run_query(
        found ~ (
            ' qualify row_number() over (partition by '
            ~ (['table_name', 'rule'] | select('in', columns) | join(', '))
            ~ ' order by row_key) <= ' ~ row_limit
            if 'rule' in columns else ' limit ' ~ row_limit
        )
    ) -%}
    {{ log(result.node.name ~ ': ' ~ result.failures ~ ' failing row(s)', info=true) }}
    {%- for row in rows.rows -%}
        {%- set values = [] -%}
        {%- for name, value in row.dict().items() if value is not none -%}
            {%- do values.append(name ~ '=' ~ value) -%}
        {%- endfor -%}
        {{ log('  ' ~ values | join(', '), info=true) }}
    {%- endfor -%}
{%- endfor -%}
{%- endif -%}
{%- endmacro %}
