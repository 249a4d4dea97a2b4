with

scores as (
    select * from {{ ref('int_benchmark_scores') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

benchmarks as (
    select * from {{ ref('stg_benchmarks') }}
),

-- Scores measured here count as one source, whatever number of runs they took.
base_scores as (
    select
        scores.*,
        case scores.score_source
            when 'measured' then 'measured' else scores.source_ref
        end as source_key,
        split_part(scores.source_repo, '/', 1) as team
    from scores
    inner join models on scores.model_id = models.model_id
    where models.training_type != 'post_trained'
),

complete_models as (
    select
        source_key,
        model_id,
        max(source_date) as source_date
    from base_scores
    where is_comparable and not coalesce(has_stand_ins, false)
    group by source_key, model_id
    having count(distinct benchmark_id) = (select count(*) from benchmarks)
),

-- The source in which most base models have every benchmark; of several the newest.
single_source as (
    select source_key
    from complete_models
    group by source_key
    order by count(*) desc, max(source_date) desc, source_key asc
    limit 1
),

study_scores as (
    select * from base_scores
    where is_study_score and is_comparable
),

-- Ways of choosing one of the scores of a model on a benchmark, each with its own order, in which
-- a lower choice_order comes first, and whether suspect scores are passed over in it.
candidates as (
    select
        'study_source' as score_choice,
        study_scores.*,
        1 as choice_order,
        false as is_passed_over
    from study_scores

    union all

    select
        'study_source_corrected' as score_choice,
        study_scores.*,
        1 as choice_order,
        study_scores.is_suspect as is_passed_over
    from study_scores

    union all

    select
        'study_source_corrected' as score_choice,
        base_scores.*,
        2 as choice_order,
        base_scores.is_suspect as is_passed_over
    from base_scores
    inner join study_scores
        on
            base_scores.model_id = study_scores.model_id
            and base_scores.benchmark_id = study_scores.benchmark_id
            and base_scores.team = study_scores.team
    where base_scores.is_comparable and not base_scores.is_study_score

    union all

    select
        'single_source' as score_choice,
        base_scores.*,
        1 as choice_order,
        base_scores.is_suspect as is_passed_over
    from base_scores
    inner join single_source on base_scores.source_key = single_source.source_key
    where base_scores.is_comparable and not coalesce(base_scores.has_stand_ins, false)

    union all

    select
        'preferred_source' as score_choice,
        base_scores.*,
        base_scores.preference_rank as choice_order,
        base_scores.is_suspect as is_passed_over
    from base_scores
),

ranked as (
    select
        *,
        row_number() over (
            partition by score_choice, model_id, benchmark_id
            order by choice_order asc, source_date desc, source_ref asc
        ) as choice_rank
    from candidates
),

with_choice as (
    select
        *,
        min(choice_rank) filter (where not is_passed_over) over (
            partition by score_choice, model_id, benchmark_id
        ) as chosen_rank
    from ranked
),

-- Where only a score on another metric is left, the cell is as good as empty.
with_outcome as (
    select
        *,
        coalesce(
            bool_or(choice_rank = chosen_rank and is_comparable) over (
                partition by score_choice, model_id, benchmark_id
            ),
            false
        ) as has_score
    from with_choice
),

-- A cell whose first choice is suspect, and that nothing else fills, keeps a row without a score.
final as (
    select
        score_choice,
        model_id,
        benchmark_id,
        case when has_score then score end as score,
        case when has_score then standard_error end as standard_error,
        case when has_score then score_source end as score_source,
        case when has_score then source_ref end as source_ref,
        case when has_score then source_key end as source_key,
        has_score and is_suspect as is_suspect,
        has_score and choice_rank > 1 as is_replaced,
        not has_score as is_left_out
    from with_outcome
    where
        (has_score and choice_rank = chosen_rank)
        or (not has_score and choice_rank = 1 and is_comparable and is_passed_over)
)

select * from final
