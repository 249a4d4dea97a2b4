with

models as (
    select * from {{ ref('stg_models') }}
),

lineages as (
    select * from {{ ref('int_model_lineages') }}
),

run_scores as (
    select * from {{ ref('int_run_scores') }}
),

registered as (
    select
        models.model_id,
        models.model_name,
        models.family,
        models.developer,
        models.parameter_count,
        models.active_parameter_count,
        models.parent_model_id,
        lineages.lineage_id,
        models.training_type,
        models.training_type != 'post_trained' as is_base,
        models.released_at,
        models.release_certainty,
        models.release_source,
        models.source
    from models
    left join lineages on models.model_id = lineages.model_id
),

-- A model that was asked and is in no register stands for itself, and in no panel.
unregistered as (
    select distinct
        run_scores.model_id,
        split_part(run_scores.model_id, '/', -1) as model_name,
        run_scores.model_id as lineage_id,
        'unregistered' as training_type,
        false as is_base,
        'unknown' as release_certainty,
        'asked here; warehouse/seeds/models.csv is the register' as source
    from run_scores
    left join models on run_scores.model_id = models.model_id
    where run_scores.is_complete and models.model_id is null
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
    from registered
    union all
    select
        model_id,
        model_name,
        null as family,
        null as developer,
        null as parameter_count,
        null as active_parameter_count,
        null as parent_model_id,
        lineage_id,
        training_type,
        is_base,
        null as released_at,
        release_certainty,
        null as release_source,
        source
    from unregistered
)

select * from final
