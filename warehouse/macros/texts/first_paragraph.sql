{% macro first_paragraph(completion) -%}
{#- The answer of a completion in llm-jp-eval 1.3.0: what stands before the first empty line, in
    form KC of Unicode 14.0. -#}
    nfkc({{ stripped("split_part(" ~ completion ~ ", chr(10) || chr(10), 1)") }})
{%- endmacro %}
