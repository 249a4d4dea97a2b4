with

scores as (
    select
        *,
        case score_source when 'measured' then 'measured' else source_ref end as source_key
    from {{ ref('int_benchmark_scores') }}
),

ancestry as (
    select * from {{ ref('int_model_ancestry') }}
    where generation > 0 and not is_cycle
),

models as (
    select * from {{ ref('stg_models') }}
),

lineages as (
    select * from {{ ref('int_model_lineages') }}
),

benchmarks as (
    select * from {{ ref('stg_benchmarks') }}
),

added_tokens as (
    select * from {{ ref('int_added_tokens') }}
),

-- Both on the same source and metric: what a source does otherwise than another is then in neither.
joint as (
    select
        child_scores.model_id,
        ancestry.ancestor_model_id,
        ancestry.generation,
        child_scores.benchmark_id,
        child_scores.score_source,
        child_scores.source_ref,
        ancestor_scores.source_ref as ancestor_source_ref,
        child_scores.source_repo,
        child_scores.source_date,
        child_scores.metric,
        child_scores.is_comparable,
        child_scores.has_stand_ins,
        child_scores.is_suspect or ancestor_scores.is_suspect as is_suspect,
        child_scores.score as child_score,
        ancestor_scores.score as ancestor_score,
        child_scores.score - ancestor_scores.score as gain,
        -- Both answered the same items, whose difficulty they share: the covariance that is left
        -- out is positive, and the true error smaller.
        sqrt(
            power(child_scores.standard_error, 2) + power(ancestor_scores.standard_error, 2)
        ) as gain_standard_error,
        -- The newest run of each, where there are several.
        row_number() over (
            partition by
                child_scores.model_id,
                ancestry.ancestor_model_id,
                child_scores.benchmark_id,
                child_scores.source_key,
                child_scores.has_stand_ins
            order by
                child_scores.source_date desc,
                child_scores.source_ref asc,
                ancestor_scores.source_date desc,
                ancestor_scores.source_ref asc
        ) as run_rank
    from scores as child_scores
    inner join models on child_scores.model_id = models.model_id
    inner join ancestry on child_scores.model_id = ancestry.model_id
    inner join scores as ancestor_scores
        on
            ancestry.ancestor_model_id = ancestor_scores.model_id
            and child_scores.benchmark_id = ancestor_scores.benchmark_id
            and child_scores.source_key = ancestor_scores.source_key
            and child_scores.metric = ancestor_scores.metric
            and child_scores.has_stand_ins is not distinct from ancestor_scores.has_stand_ins
    where models.training_type != 'post_trained'
),

-- One ancestor per model, the nearest that has a score beside it, so that all its gains are against
-- the same; and of several sources the same order as of scores.
ranked as (
    select
        *,
        min(generation) over (partition by model_id) as nearest_generation,
        row_number() over (
            partition by model_id, ancestor_model_id, benchmark_id
            order by
                coalesce(has_stand_ins, false) asc,
                is_comparable desc,
                is_suspect asc,
                score_source = 'measured' desc,
                source_date desc,
                source_ref asc
        ) as source_rank
    from joint
    where run_rank = 1
),

local_tokens as (
    select * from added_tokens
    where language = '{{ var("local_language") }}'
),

total_tokens as (
    select * from added_tokens
    where language = 'total'
),

final as (
    select
        ranked.model_id,
        ranked.ancestor_model_id,
        ranked.benchmark_id,
        ranked.score_source,
        ranked.source_ref,
        ranked.ancestor_source_ref,
        ranked.source_repo,
        ranked.source_date,
        ranked.metric,
        ranked.generation,
        lineages.lineage_id,
        -- Who is not registered stands for itself.
        coalesce(models.developer, models.model_id) as developer,
        models.training_type,
        -- A base model that was trained further on the local language.
        ends_with(models.training_type, '_{{ var("local_language") }}')
        and starts_with(models.training_type, 'continual_')
        and ancestors.training_type != 'post_trained' as is_local_continuation,
        benchmarks.language,
        case
            when benchmarks.language = '{{ var("local_language") }}' then 'local'
            when
                list_contains(
                    string_split(benchmarks.language, '-'), '{{ var("local_language") }}'
                )
                then 'both'
            else 'pivot'
        end as language_role,
        benchmarks.counterpart_benchmark_id,
        ranked.child_score,
        ranked.ancestor_score,
        ranked.gain,
        ranked.gain_standard_error,
        local_tokens.token_count as added_local_token_count,
        local_tokens.token_count_low as added_local_token_count_low,
        local_tokens.token_count_high as added_local_token_count_high,
        local_tokens.certainty as added_local_certainty,
        local_tokens.train_flop as added_local_train_flop,
        total_tokens.token_count as added_total_token_count,
        total_tokens.train_flop as added_total_train_flop,
        ranked.is_comparable,
        ranked.is_suspect,
        ranked.source_rank = 1 as is_preferred
    from ranked
    inner join models on ranked.model_id = models.model_id
    inner join models as ancestors on ranked.ancestor_model_id = ancestors.model_id
    inner join lineages on ranked.ancestor_model_id = lineages.model_id
    inner join benchmarks on ranked.benchmark_id = benchmarks.benchmark_id
    left join local_tokens
        on
            ranked.model_id = local_tokens.model_id
            and ranked.ancestor_model_id = local_tokens.ancestor_model_id
    left join total_tokens
        on
            ranked.model_id = total_tokens.model_id
            and ranked.ancestor_model_id = total_tokens.ancestor_model_id
    where ranked.generation = ranked.nearest_generation
)

select * from final
