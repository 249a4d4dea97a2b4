with

published_scores as (
    select * from {{ ref('int_published_scores') }}
),

benchmarks as (
    select * from {{ ref('stg_benchmarks') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

-- Wilson's intervals, which do not collapse at zero. Whoever owns the repositories is the team.
scores as (
    select
        published_scores.model_id,
        published_scores.benchmark_id,
        published_scores.source_ref,
        published_scores.metric,
        published_scores.score,
        published_scores.source_repo,
        published_scores.source_date,
        split_part(published_scores.source_repo, '/', 1) as team,
        coalesce(benchmarks.chance_score, 0) as chance_score,
        benchmarks.counterpart_benchmark_id,
        models.family,
        models.parent_model_id,
        models.parameter_count,
        models.training_type = 'post_trained' as is_post_trained,
        coalesce(
            case
                when benchmarks.score_kind != 'corpus'
                    then {{ wilson_bound(
                        'published_scores.score',
                        'benchmarks.item_count',
                        '-',
                        z=var('suspect_z')
                    ) }}
            end,
            published_scores.score - {{ var('suspect_corpus_margin') }}
        ) as low,
        coalesce(
            case
                when benchmarks.score_kind != 'corpus'
                    then {{ wilson_bound(
                        'published_scores.score',
                        'benchmarks.item_count',
                        '+',
                        z=var('suspect_z')
                    ) }}
            end,
            published_scores.score
        ) as high
    from published_scores
    inner join benchmarks on published_scores.benchmark_id = benchmarks.benchmark_id
    inner join models on published_scores.model_id = models.model_id
),

-- Weak models score near chance and may score near zero. A failure of the answer's format is at
-- zero, or where guessing would not end; it takes evidence too.
low_scores as (
    select * from scores
    where score = 0 or high < chance_score
),

evidence as (
    select
        low_scores.*,
        'other_source' as evidence_kind,
        other_scores.model_id as evidence_model_id,
        other_scores.benchmark_id as evidence_benchmark_id,
        other_scores.source_ref as evidence_source_ref,
        other_scores.score as evidence_score,
        other_scores.low as evidence_low,
        other_scores.chance_score as evidence_chance_score,
        format('{}, {}', other_scores.source_repo, other_scores.source_date) as evidence_place
    from low_scores
    inner join scores as other_scores
        on
            low_scores.model_id = other_scores.model_id
            and low_scores.benchmark_id = other_scores.benchmark_id
            and low_scores.metric = other_scores.metric
            and low_scores.team = other_scores.team
            and low_scores.source_ref != other_scores.source_ref

    union all

    -- Post-training can teach what the base model cannot do, and the other way round.
    select
        low_scores.*,
        'sibling' as evidence_kind,
        siblings.model_id as evidence_model_id,
        siblings.benchmark_id as evidence_benchmark_id,
        siblings.source_ref as evidence_source_ref,
        siblings.score as evidence_score,
        siblings.low as evidence_low,
        siblings.chance_score as evidence_chance_score,
        siblings.model_id as evidence_place
    from low_scores
    inner join scores as siblings
        on
            low_scores.model_id != siblings.model_id
            and low_scores.benchmark_id = siblings.benchmark_id
            and low_scores.source_ref = siblings.source_ref
            and low_scores.is_post_trained = siblings.is_post_trained
            and (
                low_scores.family = siblings.family
                or low_scores.parent_model_id = siblings.model_id
            )
            and siblings.parameter_count
            <= {{ var('suspect_sibling_size') }} * low_scores.parameter_count

    union all

    select
        low_scores.*,
        'twin_benchmark' as evidence_kind,
        twins.model_id as evidence_model_id,
        twins.benchmark_id as evidence_benchmark_id,
        twins.source_ref as evidence_source_ref,
        twins.score as evidence_score,
        twins.low as evidence_low,
        twins.chance_score as evidence_chance_score,
        twins.benchmark_id as evidence_place
    from low_scores
    inner join scores as twins
        on
            low_scores.model_id = twins.model_id
            and low_scores.counterpart_benchmark_id = twins.benchmark_id
            and low_scores.source_ref = twins.source_ref
),

final as (
    select
        model_id,
        benchmark_id,
        source_ref,
        score,
        high as score_high,
        chance_score,
        evidence_kind,
        evidence_model_id,
        evidence_benchmark_id,
        evidence_source_ref,
        evidence_score,
        evidence_low,
        format(
            '{} {:.4g} where {} {} has {:.4g}',
            case when score = 0 then 'zero,' else 'below chance,' end,
            score,
            case evidence_kind
                when 'other_source' then 'another source of the same team,'
                when 'sibling' then 'a sibling that is no larger,'
                else 'the same test in another language,'
            end,
            evidence_place,
            evidence_score
        ) as evidence
    from evidence
    where evidence_low > greatest(high, evidence_chance_score)
)

select * from final
