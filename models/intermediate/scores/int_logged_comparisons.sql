with

logged_scores as (
    select * from {{ ref('stg_logged_scores') }}
),

item_scores as (
    select * from {{ ref('int_item_scores') }}
),

final as (
    select
        item_scores.run_id,
        item_scores.model_id,
        item_scores.benchmark_id,
        item_scores.protocol_version,
        item_scores.item_id,
        item_scores.item_hash,
        item_scores.sample_index,
        logged_scores.metric,
        logged_scores.is_main,
        logged_scores.logged_score,
        item_scores.score,
        -- A logged score outside of 0 to 1 is on another scale, and so is no difference.
        case
            when logged_scores.logged_score between 0 and 1
                then logged_scores.logged_score != item_scores.score
        end as is_different,
        logged_scores.answer_text as logged_answer_text,
        item_scores.answer_text,
        item_scores.scorer_id,
        item_scores.scorer_version,
        item_scores.request_id
    from logged_scores
    inner join item_scores
        on
            logged_scores.request_id = item_scores.request_id
            and logged_scores.item_hash = item_scores.item_hash
)

select * from final
