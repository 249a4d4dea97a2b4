with

run_requests as (
    select * from {{ ref('stg_run_requests') }}
),

answers as (
    select * from {{ ref('stg_answers') }}
),

sessions as (
    select * from {{ ref('stg_run_sessions') }}
),

benchmarks as (
    select * from {{ ref('int_benchmarks') }}
),

-- A run is asked in several sessions, and a request may serve several samples of an item.
runs as (
    select distinct
        run_id,
        item_set
    from sessions
    where protocol = 'reference' and item_set in ('real', 'demo')
),

asked as (
    select distinct
        run_requests.run_id,
        runs.item_set,
        run_requests.benchmark_id,
        run_requests.item_hash,
        run_requests.request_id
    from run_requests
    inner join runs on run_requests.run_id = runs.run_id
    inner join benchmarks
        on
            run_requests.benchmark_id = benchmarks.benchmark_id
            and run_requests.protocol_version = benchmarks.protocol_version
),

-- What is only partly answered, or not counted, would seem cheap.
items as (
    select
        asked.run_id,
        asked.item_set,
        asked.benchmark_id,
        asked.item_hash,
        sum(answers.input_token_count + answers.output_token_count) as token_count
    from asked
    left join answers on asked.request_id = answers.request_id
    group by asked.run_id, asked.item_set, asked.benchmark_id, asked.item_hash
    having count(answers.input_token_count + answers.output_token_count) = count(*)
),

of_runs as (
    select
        run_id,
        item_set,
        benchmark_id,
        avg(token_count) as token_count_per_item
    from items
    group by run_id, item_set, benchmark_id
),

of_item_sets as (
    select
        benchmark_id,
        item_set,
        avg(token_count_per_item) as token_count_per_item,
        count(*) as run_count
    from of_runs
    group by benchmark_id, item_set
),

-- Items written for a demonstration are shorter than a benchmark's own.
final as (
    select
        benchmark_id,
        item_set,
        token_count_per_item,
        run_count
    from of_item_sets
    qualify row_number() over (partition by benchmark_id order by item_set desc) = 1
)

select * from final
