with

source as (
    select * from {{ ref('models') }}
),

final as (
    select
        model_id,
        model_name,
        family,
        developer,
        parameter_count,
        active_parameter_count,
        parent_model_id,
        training_type,
        released_at,
        release_certainty,
        release_source,
        in_paper_35,
        published_score_count,
        source
    from source
)

select * from final
