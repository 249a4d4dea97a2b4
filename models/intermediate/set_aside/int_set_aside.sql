with

broken_records as (
    select
        row_number() over () as record_number,
        *
    from {{ ref('int_broken_records') }}
),

run_sessions as (
    select * from {{ ref('stg_run_sessions') }}
),

run_requests as (
    select * from {{ ref('stg_run_requests') }}
),

requests as (
    select * from {{ ref('stg_requests') }}
),

-- What is asked may be asked for several runs: it is as wrong for each.
askers as (
    select
        broken_records.record_number,
        run_requests.*
    from broken_records
    inner join run_requests on broken_records.request_id = run_requests.request_id
    where coalesce(broken_records.item_hash = run_requests.item_hash, true)
    union all
    select
        broken_records.record_number,
        run_requests.*
    from broken_records
    inner join run_requests on broken_records.item_hash = run_requests.item_hash
    where broken_records.request_id is null
    union all
    select
        broken_records.record_number,
        run_requests.*
    from broken_records
    inner join requests on broken_records.prompt_id = requests.prompt_id
    inner join run_requests on requests.request_id = run_requests.request_id
),

owners as (
    select
        record_number,
        run_id,
        benchmark_id,
        protocol_version
    from broken_records
    where run_id is not null
    union
    select
        broken_records.record_number,
        run_sessions.run_id,
        null as benchmark_id,
        null as protocol_version
    from broken_records
    inner join run_sessions on broken_records.session_id = run_sessions.session_id
    union
    select
        record_number,
        run_id,
        benchmark_id,
        protocol_version
    from askers
),

-- A record of no run is named too: no number is made of it.
final as (
    select
        owners.run_id,
        owners.benchmark_id,
        owners.protocol_version,
        broken_records.table_name,
        broken_records.rule,
        count(*) as row_count,
        min(broken_records.row_key) as row_key,
        arg_min(broken_records.found, broken_records.row_key) as found
    from broken_records
    left join owners on broken_records.record_number = owners.record_number
    group by
        owners.run_id,
        owners.benchmark_id,
        owners.protocol_version,
        broken_records.table_name,
        broken_records.rule
)

select * from final
