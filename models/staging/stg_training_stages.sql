with

source as (
    select * from {{ ref('training_stages') }}
),

final as (
    select
        model_id,
        stage_index,
        language,
        token_count,
        token_count_high,
        evidence,
        is_share_assumed,
        source
    from source
)

select * from final
