{% macro squad_golds(forms, without_golds) -%}
{#- What SQuAD2's metric takes for right: the golds that are not empty in SQuAD's form; where there
    are none, the list `without_golds`. -#}
    case
        when len(list_filter(coalesce({{ forms }}, []), lambda form: form != '')) > 0
            then list_filter({{ forms }}, lambda form: form != '')
        else {{ without_golds }}
    end
{%- endmacro %}
