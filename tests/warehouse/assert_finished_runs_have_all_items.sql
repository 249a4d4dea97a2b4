{{ config(meta={'reports': true}) }}

-- A run that came to its end without a limit, from upstream's own files, asked every item. Which
-- version of the protocol a session asked under is not recorded: one of the run's must be whole.
-- What is set aside is said elsewhere.
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
        and case
            when json_valid(run_sessions.configuration)
                then (run_sessions.configuration ->> 'limit') is null
        end
),

most_items as (
    select
        run_id,
        benchmark_id,
        any_value(expected_item_count) as expected_item_count,
        max_by(item_count, item_count + unscored_count) as item_count,
        max_by(unscored_count, item_count + unscored_count) as unscored_count
    from {{ ref('fct_run_scores') }}
    group by run_id, benchmark_id
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
left join most_items as run_scores
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
    and {{ not_set_aside('finished', columns=['benchmark_id']) }}
