with

run_requests as (
    select * from {{ ref('stg_run_requests') }}
),

answers as (
    select * from {{ ref('stg_answers') }}
),

run_pieces as (
    select * from {{ ref('int_run_pieces') }}
),

benchmarks as (
    select * from {{ ref('int_benchmarks') }}
),

-- What is set aside is no measure of anything.
kept as (
    select
        run_pieces.run_id,
        run_pieces.item_set,
        run_pieces.benchmark_id,
        run_pieces.protocol_version
    from run_pieces
    inner join benchmarks
        on
            run_pieces.benchmark_id = benchmarks.benchmark_id
            and run_pieces.protocol_version = benchmarks.protocol_version
    where run_pieces.protocol = 'reference' and run_pieces.item_set in ('real', 'demo')
),

-- A request may serve several samples of an item.
asked as (
    select distinct
        kept.run_id,
        kept.item_set,
        kept.benchmark_id,
        run_requests.item_hash,
        run_requests.request_id
    from kept
    inner join run_requests
        on
            kept.run_id = run_requests.run_id
            and kept.benchmark_id = run_requests.benchmark_id
            and kept.protocol_version = run_requests.protocol_version
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
    qualify row_number() over (partition by benchmark_id order by item_set != 'real') = 1
)

select * from final
