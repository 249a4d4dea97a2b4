{% test is_log_likelihood(model, column_name) %}
-- A number of nats that is not positive, but for rounding of a sure token; minus infinity where a
-- model gives a continuation no mass.
select *
from {{ model }}
where
    isnan({{ column_name }})
    or {{ column_name }} > 1e-4
{% endtest %}
