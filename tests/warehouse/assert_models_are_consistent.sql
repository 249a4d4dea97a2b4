-- What a row of the register says about a model must agree with itself, with its parent and with
-- the publications that scored the model: a version in the name is in the id too, a date of release
-- has a certainty and a source, and nothing was scored before it was out or trained before its
-- parent was.
with

models as (
    select * from {{ ref('stg_models') }}
),

scores as (
    select * from {{ ref('stg_published_scores') }}
),

sources as (
    select * from {{ ref('stg_published_sources') }}
),

first_scored as (
    select
        scores.model_id,
        min(sources.source_date) as source_date,
        arg_min(sources.source_id, sources.source_date) as source_id
    from scores
    inner join sources on scores.source_id = sources.source_id
    group by scores.model_id
),

-- Without its point, because 0.1 is also written 01.
versions as (
    select
        model_id,
        unnest(regexp_extract_all(model_name, '\d+\.\d+')) as version
    from models
)

select
    models.model_id,
    'the name ' || models.model_name || ' has version ' || versions.version as fault
from models
inner join versions on models.model_id = versions.model_id
where not contains(replace(models.model_id, '.', ''), replace(versions.version, '.', ''))

union all

select
    model_id,
    'released_at, release_certainty and release_source do not agree' as fault
from models
where
    (release_certainty = 'unknown') != (released_at is null)
    or (released_at is null) != (release_source is null)

union all

select
    models.model_id,
    'released on ' || models.released_at || ', scored by '
    || first_scored.source_id || ' on ' || first_scored.source_date as fault
from models
inner join first_scored on models.model_id = first_scored.model_id
where models.released_at > first_scored.source_date

union all

-- A bound on the parent's date says nothing about how early it was out.
select
    models.model_id,
    'released on ' || models.released_at || ', its parent '
    || parents.model_id || ' on ' || parents.released_at as fault
from models
inner join models as parents on models.parent_model_id = parents.model_id
where
    models.released_at < parents.released_at
    and parents.release_certainty != 'upper_bound'
