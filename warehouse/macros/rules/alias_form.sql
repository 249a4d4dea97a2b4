{% macro alias_form(text) -%}
{#- The form in which lm-evaluation-harness compares TriviaQA's answers: lower case, without ASCII
    punctuation. -#}
    regexp_replace(full_lower({{ text }}), '[!-/:-@\[-`{-~]', '', 'g')
{%- endmacro %}
