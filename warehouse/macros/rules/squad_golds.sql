{% macro squad_golds(forms, scorer_id) -%}
{#- What SQuAD2's metric takes for right: the golds that are not empty in SQuAD's form, or else an
    empty answer; as the second scorer has it, `unanswerable` as well. -#}
    case
        when len(list_filter(coalesce({{ forms }}, []), lambda form: form != '')) > 0
            then list_filter({{ forms }}, lambda form: form != '')
        when {{ scorer_id }} = 'squad2_exact_with_unanswerable' then ['', 'unanswerable']
        else ['']
    end
{%- endmacro %}
