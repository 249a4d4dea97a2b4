{% macro text_list(texts) -%}
    {#- Texts without quotes of their own, such as ids of nodes, as a list of SQL. -#}
    [{% for text in texts %}{{ ", " if not loop.first }}'{{ text }}'{% endfor %}]::varchar[]
{%- endmacro %}
