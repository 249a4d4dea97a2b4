-- A run that came to its end without a limit, from upstream's own files, asked every item.
with

finished as (
    select distinct
        run_sessions.run_id,
        unnest(run_sessions.benchmark_ids) as benchmark_id
    from {{ ref('stg_run_sessions') }} as run_sessions
    inner join {{ ref('stg_run_session_ends') }} as session_ends
        on run_sessions.session_id = session_ends.session_id
    where
        run_sessions.item_set = 'real'
        and (run_sessions.configuration ->> 'limit') is null
),

stand_ins as (
    select distinct
        run_id,
        benchmark_id
    from {{ ref('stg_run_files') }}
    where role != 'pool' and departure != ''
)

select
    finished.run_id,
    finished.benchmark_id,
    run_scores.item_count,
    run_scores.unscored_count,
    run_scores.expected_item_count
from finished
left join {{ ref('fct_run_scores') }} as run_scores
    on
        finished.run_id = run_scores.run_id
        and finished.benchmark_id = run_scores.benchmark_id
left join stand_ins
    on
        finished.run_id = stand_ins.run_id
        and finished.benchmark_id = stand_ins.benchmark_id
where
    stand_ins.run_id is null
    and (
        run_scores.run_id is null
        or run_scores.item_count + run_scores.unscored_count != run_scores.expected_item_count
    )
