{{ config(materialized='view') }}

with

run_requests as (
    select * from {{ ref('stg_run_requests') }}
),

items as (
    select * from {{ ref('stg_items') }}
),

generations as (
    select * from {{ ref('stg_generations') }}
),

-- A sample that is asked under several contexts is known by the request of the first.
final as (
    select
        run_requests.run_id,
        run_requests.benchmark_id,
        run_requests.protocol_version,
        run_requests.scorer as scorer_id,
        run_requests.item_hash,
        items.item_id,
        items.subset,
        items.cluster_id,
        run_requests.sample_index,
        run_requests.request_id,
        items.target,
        items.golds,
        items.choices,
        items.gold_index,
        run_requests.target_token_ids,
        generations.completion_text,
        generations.completion_token_ids,
        generations.stop_reason
    from run_requests
    inner join items on run_requests.item_hash = items.item_hash
    left join generations on run_requests.request_id = generations.request_id
    where run_requests.purpose = 'answer' and run_requests.variant_index = 0
)

select * from final
