select
    samples.run_id,
    samples.benchmark_id,
    samples.item_id,
    samples.sample_index
from {{ ref('int_samples') }} as samples
left join {{ ref('fct_item_scores') }} as item_scores
    on
        samples.run_id = item_scores.run_id
        and samples.item_hash = item_scores.item_hash
        and samples.sample_index = item_scores.sample_index
where item_scores.run_id is null
