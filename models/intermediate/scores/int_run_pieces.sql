with

run_sessions as (
    select * from {{ ref('stg_run_sessions') }}
),

run_requests as (
    select * from {{ ref('stg_run_requests') }}
),

items as (
    select
        item_hash,
        hash(
            item_id, subset, cluster_id, target, golds, choices, gold_index
        ) as content_hash
    from {{ ref('stg_items') }}
),

scorers as (
    select * from {{ ref('stg_scorers') }}
),

runs as (
    select
        run_id,
        any_value(model_id) as model_id,
        any_value(item_set) as item_set,
        any_value(protocol) as protocol
    from run_sessions
    group by run_id
),

-- Whatever a score is made of, each row by its hash: counts and times would miss a value that was
-- changed by hand.
contents as (
    select
        request_id,
        hash('answer', answered_at) as content_hash
    from {{ ref('stg_answers') }}
    union all
    select
        request_id,
        hash('generation', completion_text, stop_reason, completion_token_ids) as content_hash
    from {{ ref('stg_generations') }}
    union all
    select
        request_id,
        hash('log_likelihood', continuation_index, log_likelihood) as content_hash
    from {{ ref('stg_log_likelihoods') }}
    union all
    select
        request_id,
        hash('failure', session_id) as content_hash
    from {{ ref('stg_failures') }}
    union all
    select
        request_id,
        hash(
            'translation', item_hash, measure_id, measure_version, match_counts, ngram_counts,
            candidate_length, reference_length
        ) as content_hash
    from {{ ref('stg_translation_statistics') }}
    union all
    select
        request_id,
        hash('program', item_hash, measure_id, measure_version, outcome) as content_hash
    from {{ ref('stg_program_outcomes') }}
    union all
    select
        request_id,
        hash('logged', item_hash, metric, is_main, logged_score, answer_text) as content_hash
    from {{ ref('stg_logged_scores') }}
),

asked as (
    select
        run_requests.run_id,
        run_requests.benchmark_id,
        run_requests.protocol_version,
        run_requests.scorer,
        run_requests.request_id,
        hash(
            run_requests.request_id, run_requests.item_hash, run_requests.sample_index,
            run_requests.variant_index, run_requests.purpose, run_requests.target_token_ids,
            items.content_hash
        ) as request_hash
    from run_requests
    left join items on run_requests.item_hash = items.item_hash
),

hashed as (
    select
        run_id,
        benchmark_id,
        protocol_version,
        scorer,
        1 as request_count,
        request_hash as content_hash
    from asked
    union all
    select
        asked.run_id,
        asked.benchmark_id,
        asked.protocol_version,
        asked.scorer,
        0 as request_count,
        hash(asked.request_hash, contents.content_hash) as content_hash
    from asked
    inner join contents on asked.request_id = contents.request_id
),

counted as (
    select
        hashed.run_id,
        hashed.benchmark_id,
        hashed.protocol_version,
        hashed.scorer as scorer_id,
        {{ run_benchmark_id('hashed') }} as run_benchmark_id,
        sum(hashed.request_count)::bigint as request_count,
        bit_xor(hashed.content_hash) as content_hash
    from hashed
    group by hashed.run_id, hashed.benchmark_id, hashed.protocol_version, hashed.scorer
),

-- The only way of what was measured into scores: what is set aside does not pass. A piece whose
-- rows are what they were holds what it held, for as long as DuckDB hashes alike: versions that do
-- not have all pieces computed again.
final as (
    select
        counted.run_benchmark_id,
        concat_ws(
            ' ', counted.run_benchmark_id, counted.scorer_id, scorers.scorer_version
        ) as piece_id,
        counted.run_id,
        runs.model_id,
        runs.item_set,
        runs.protocol,
        counted.benchmark_id,
        counted.protocol_version,
        counted.scorer_id,
        scorers.scorer_version,
        scorers.scorer_kind,
        scorers.aggregation,
        counted.request_count,
        concat_ws(
            ' ', 'protocol ' || counted.protocol_version || ':', counted.request_count,
            counted.content_hash
        ) as content_key
    from counted
    inner join runs on counted.run_id = runs.run_id
    inner join scorers on counted.scorer_id = scorers.scorer_id
    where {{ not_set_aside('counted') }}
)

select * from final
