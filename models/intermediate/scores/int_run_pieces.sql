with

run_sessions as (
    select * from {{ ref('stg_run_sessions') }}
),

run_requests as (
    select * from {{ ref('stg_run_requests') }}
),

answers as (
    select * from {{ ref('stg_answers') }}
),

failures as (
    select * from {{ ref('stg_failures') }}
),

translation_statistics as (
    select * from {{ ref('stg_translation_statistics') }}
),

program_outcomes as (
    select * from {{ ref('stg_program_outcomes') }}
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

measurements as (
    select
        request_id,
        count(*) as measurement_count,
        max(measured_at) as measured_at
    from (
        select
            request_id,
            measured_at
        from translation_statistics
        union all
        select
            request_id,
            measured_at
        from program_outcomes
        where outcome != 'sandbox_error'
    ) as measured
    group by request_id
),

failed_requests as (
    select distinct request_id from failures
),

counted as (
    select
        run_requests.run_id,
        run_requests.benchmark_id,
        run_requests.protocol_version,
        run_requests.scorer as scorer_id,
        {{ run_benchmark_id('run_requests') }} as run_benchmark_id,
        count(*) as request_count,
        count(answers.request_id) as answer_count,
        count(failed_requests.request_id) as failure_count,
        coalesce(sum(measurements.measurement_count), 0) as measurement_count,
        greatest(max(answers.answered_at), max(measurements.measured_at)) as changed_at
    from run_requests
    left join answers on run_requests.request_id = answers.request_id
    left join failed_requests on run_requests.request_id = failed_requests.request_id
    left join measurements on run_requests.request_id = measurements.request_id
    group by
        run_requests.run_id,
        run_requests.benchmark_id,
        run_requests.protocol_version,
        run_requests.scorer
),

-- The only way of what was measured into scores: what is set aside does not pass. A piece whose
-- counts and newest answer or measurement are what they were holds what it held: the raw store
-- grows, and what is forgotten comes back with a later time.
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
            ' ',
            'protocol ' || counted.protocol_version || ':',
            counted.request_count,
            counted.answer_count,
            counted.failure_count,
            counted.measurement_count,
            epoch_us(counted.changed_at)
        ) as content_key
    from counted
    inner join runs on counted.run_id = runs.run_id
    inner join scorers on counted.scorer_id = scorers.scorer_id
    where {{ not_set_aside('counted') }}
)

select * from final
