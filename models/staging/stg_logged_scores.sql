with

source as (
    select * from {{ source('raw', 'logged_scores') }}
),

final as (
    select
        request_id,
        item_hash,
        metric,
        is_main,
        logged_score,
        answer_text
    from source
)

select * from final
