-- A cell that has suspect scores only has none to prefer.
select
    model_id,
    benchmark_id,
    count(*) filter (where is_preferred) as preferred_count
from {{ ref('fct_benchmark_scores') }}
group by model_id, benchmark_id
having
    count(*) filter (where is_preferred)
    != case when bool_and(is_suspect) then 0 else 1 end
