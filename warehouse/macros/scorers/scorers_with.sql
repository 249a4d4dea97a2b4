{% macro scorers_with(part) %}
{#- Ids of the scorers whose rule says `part`, by name. The rule of a scorer of kind `answer` is a
    file of warehouse/macros/rules/ that is named after it and holds macros of SQL:
    answer_of_SCORER(completion), what is taken for the answer (without it, the completion);
    gold_form_of_SCORER(gold), the form in which a gold is compared (without it, golds are not
    brought into one); score_of_SCORER(answer, target, golds, gold_forms), 0 to 1 as double. dbt
    finds macros by their names in `context`, as its own snapshot strategies are found; rule(part, scorer, ...) calls one. #}
    {% set found = [] %}
    {% for name in context.keys() | sort %}
        {% if name.startswith(part ~ '_of_') %}
            {% do found.append(name[(part ~ '_of_') | length:]) %}
        {% endif %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}
