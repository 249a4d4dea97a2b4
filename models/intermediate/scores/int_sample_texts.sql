{{ config(materialized='view') }}

with

item_scores as (
    select * from {{ ref('int_item_scores') }}
),

items as (
    select * from {{ ref('stg_items') }}
),

run_requests as (
    select * from {{ ref('stg_run_requests') }}
),

requests as (
    select * from {{ ref('stg_requests') }}
),

prompts as (
    select * from {{ ref('stg_prompts') }}
),

generations as (
    select * from {{ ref('stg_generations') }}
),

log_likelihoods as (
    select * from {{ ref('stg_log_likelihoods') }}
),

program_outcomes as (
    select * from {{ ref('stg_program_outcomes') }}
),

-- The latest version, as in int_program_scores.
sandboxed as (
    select
        request_id,
        item_hash,
        measure_id,
        arg_max(is_recorded, measure_version) as is_recorded
    from program_outcomes
    group by request_id, item_hash, measure_id
),

-- A sample that is asked under several contexts has as many requests.
weighed as (
    select
        run_requests.run_id,
        run_requests.benchmark_id,
        run_requests.protocol_version,
        run_requests.item_hash,
        run_requests.sample_index,
        list(
            log_likelihoods.log_likelihood
            order by run_requests.variant_index asc, log_likelihoods.continuation_index asc
        ) as choice_log_likelihoods
    from run_requests
    inner join log_likelihoods on run_requests.request_id = log_likelihoods.request_id
    where run_requests.purpose = 'answer'
    group by
        run_requests.run_id,
        run_requests.benchmark_id,
        run_requests.protocol_version,
        run_requests.item_hash,
        run_requests.sample_index
),

final as (
    select
        item_scores.run_id,
        item_scores.model_id,
        item_scores.item_set,
        item_scores.protocol,
        item_scores.benchmark_id,
        item_scores.protocol_version,
        item_scores.item_id,
        item_scores.item_hash,
        item_scores.subset,
        item_scores.sample_index,
        items.fields,
        prompts.prompt_text,
        generations.completion_text,
        generations.stop_reason,
        items.choices,
        weighed.choice_log_likelihoods,
        item_scores.answer_text,
        items.golds,
        items.target,
        items.choices[items.gold_index + 1] as gold_choice,
        item_scores.score,
        item_scores.unscored_reason,
        sandboxed.is_recorded,
        item_scores.scorer_id,
        item_scores.scorer_version,
        requests.decoding,
        item_scores.request_id
    from item_scores
    inner join items on item_scores.item_hash = items.item_hash
    inner join requests on item_scores.request_id = requests.request_id
    inner join prompts on requests.prompt_id = prompts.prompt_id
    left join generations on item_scores.request_id = generations.request_id
    left join sandboxed
        on
            item_scores.request_id = sandboxed.request_id
            and item_scores.item_hash = sandboxed.item_hash
            and item_scores.scorer_id = sandboxed.measure_id
    left join weighed
        on
            item_scores.run_id = weighed.run_id
            and item_scores.benchmark_id = weighed.benchmark_id
            and item_scores.protocol_version = weighed.protocol_version
            and item_scores.item_hash = weighed.item_hash
            and item_scores.sample_index = weighed.sample_index
)

select * from final
