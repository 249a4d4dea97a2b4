with

models as (
    select * from {{ ref('int_models') }}
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
        lineage_id,
        training_type,
        is_base,
        released_at,
        release_certainty,
        release_source,
        source
    from models
)

select * from final
