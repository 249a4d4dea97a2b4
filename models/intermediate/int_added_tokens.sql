with

ancestry as (
    select * from {{ ref('int_model_ancestry') }}
    where not is_cycle
),

models as (
    select * from {{ ref('stg_models') }}
),

stage_token_counts as (
    select * from {{ ref('int_stage_token_counts') }}
),

evidence_ranks as (
    select * from {{ ref('int_evidence_ranks') }}
),

languages as (
    select distinct language from stage_token_counts
),

-- The stages of the model and of the ancestors between the two; one without a registered stage
-- counts as one of unknown size.
terms as (
    select
        pairs.model_id,
        pairs.ancestor_model_id,
        languages.language,
        trained.active_parameter_count::hugeint as active_parameter_count,
        stage_token_counts.token_count::hugeint as token_count,
        coalesce(stage_token_counts.token_count_low, 0)::hugeint as token_count_low,
        stage_token_counts.token_count_high::hugeint as token_count_high,
        coalesce(
            stage_token_counts.evidence_rank,
            (select max(evidence_ranks.evidence_rank) from evidence_ranks)
        ) as evidence_rank
    from ancestry as pairs
    inner join ancestry as steps
        on pairs.model_id = steps.model_id and pairs.generation > steps.generation
    inner join models as trained on steps.ancestor_model_id = trained.model_id
    cross join languages
    left join stage_token_counts
        on
            steps.ancestor_model_id = stage_token_counts.model_id
            and languages.language = stage_token_counts.language
),

-- Sums as in int_token_budgets: with an unknown term they are unknown, but for the lower bound.
sums as (
    select
        model_id,
        ancestor_model_id,
        language,
        case when count(*) = count(token_count) then sum(token_count) end as token_count,
        sum(token_count_low) as token_count_low,
        case
            when count(*) = count(token_count_high) then sum(token_count_high)
        end as token_count_high,
        case
            when count(*) = count(active_parameter_count * token_count)
                then 6 * sum(active_parameter_count * token_count)
        end as train_flop,
        max(evidence_rank) as evidence_rank
    from terms
    group by model_id, ancestor_model_id, language
),

final as (
    select
        sums.model_id,
        sums.ancestor_model_id,
        sums.language,
        sums.token_count::bigint as token_count,
        sums.token_count_low::bigint as token_count_low,
        sums.token_count_high::bigint as token_count_high,
        evidence_ranks.certainty,
        sums.train_flop::double as train_flop
    from sums
    inner join evidence_ranks on sums.evidence_rank = evidence_ranks.evidence_rank
)

select * from final
