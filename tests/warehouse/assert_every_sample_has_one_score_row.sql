-- But for samples that are set aside. Counted by run, benchmark and protocol version first: rows
-- are compared only where the numbers differ.
with

samples as (
    select
        run_id,
        benchmark_id,
        protocol_version,
        item_hash,
        sample_index
    from {{ ref('stg_run_requests') }}
    where purpose = 'answer' and variant_index = 0
),

item_scores as (
    select * from {{ ref('fct_item_scores') }}
),

sample_counts as (
    select
        run_id,
        benchmark_id,
        protocol_version,
        count(*) as row_count
    from samples
    group by run_id, benchmark_id, protocol_version
),

score_counts as (
    select
        run_id,
        benchmark_id,
        protocol_version,
        count(*) as row_count
    from item_scores
    group by run_id, benchmark_id, protocol_version
),

differing as (
    select
        coalesce(sample_counts.run_id, score_counts.run_id) as run_id,
        coalesce(sample_counts.benchmark_id, score_counts.benchmark_id) as benchmark_id,
        coalesce(sample_counts.protocol_version, score_counts.protocol_version)
            as protocol_version
    from sample_counts
    full join score_counts
        on
            sample_counts.run_id = score_counts.run_id
            and sample_counts.benchmark_id = score_counts.benchmark_id
            and sample_counts.protocol_version = score_counts.protocol_version
    where sample_counts.row_count is distinct from score_counts.row_count
)

select
    differing.run_id,
    differing.benchmark_id,
    differing.protocol_version,
    samples.item_hash,
    samples.sample_index
from differing
left join samples
    on
        differing.run_id = samples.run_id
        and differing.benchmark_id = samples.benchmark_id
        and differing.protocol_version = samples.protocol_version
left join item_scores
    on
        samples.run_id = item_scores.run_id
        and samples.protocol_version = item_scores.protocol_version
        and samples.item_hash = item_scores.item_hash
        and samples.sample_index = item_scores.sample_index
where
    item_scores.run_id is null
    and {{ not_set_aside('differing') }}
