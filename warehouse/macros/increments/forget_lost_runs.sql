{% macro forget_lost_runs() %}
{#- Deletes what an incremental model holds of runs that the raw store does not have. #}
    delete from {{ this }}
    where run_id not in (select run_id from {{ ref('int_run_pieces') }})
{% endmacro %}
