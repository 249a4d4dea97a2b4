with

completed as (
    {{ samples_to_score('program') }}
),

outcomes as (
    select * from {{ ref('stg_program_outcomes') }}
),

latest_outcomes as (
    select *
    from outcomes
    qualify
        row_number() over (
            partition by request_id, item_hash, measure_id order by measure_version desc
        ) = 1
),

final as (
    select
        completed.piece_id,
        completed.content_key,
        completed.run_id,
        completed.benchmark_id,
        completed.scorer_id,
        completed.scorer_version,
        completed.item_hash,
        completed.sample_index,
        completed.completion_text as answer_text,
        -- A sandbox that failed says nothing about the program.
        case
            when latest_outcomes.outcome != 'sandbox_error'
                then (latest_outcomes.outcome = 'passed')::double
        end as score,
        null::double as per_character_score,
        null::boolean as is_tie,
        case
            when latest_outcomes.outcome is null then 'not_measured'
            when latest_outcomes.outcome = 'sandbox_error' then 'sandbox_error'
        end as unscored_reason
    from completed
    left join latest_outcomes
        on
            completed.request_id = latest_outcomes.request_id
            and completed.item_hash = latest_outcomes.item_hash
            and completed.scorer_id = latest_outcomes.measure_id
)

select * from final
