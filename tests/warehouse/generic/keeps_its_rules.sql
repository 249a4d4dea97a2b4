{% test keeps_its_rules(model, key) %}
-- All rules of a table in one test; see the macro broken_rules for what can be asked.
{{ broken_rules(model, key, **kwargs) }}
{% endtest %}
