with

chosen_scores as (
    select * from {{ ref('int_chosen_scores') }}
),

models as (
    select * from {{ ref('stg_models') }}
),

benchmarks as (
    select * from {{ ref('stg_benchmarks') }}
),

panels as (
    select * from {{ ref('stg_panels') }}
),

coverage as (
    select
        score_choice,
        model_id,
        count(score) as score_count,
        count(*) as cell_count
    from chosen_scores
    group by score_choice, model_id
),

-- Who would belong to the panel, if no score were suspect, and who does.
memberships as (
    select
        panels.panel_id,
        coverage.model_id,
        case panels.model_choice
            when 'study' then models.in_paper_35
            when 'complete'
                then coverage.cell_count = (select count(*) from benchmarks)
            else true
        end as is_eligible,
        case panels.model_choice
            when 'complete'
                then coverage.score_count = (select count(*) from benchmarks)
            else coverage.score_count > 0
        end as has_its_scores
    from panels
    inner join coverage on panels.score_choice = coverage.score_choice
    inner join models on coverage.model_id = models.model_id
),

final as (
    select
        panel_id,
        model_id,
        -- Left out for a suspect score.
        not has_its_scores as is_left_out
    from memberships
    where is_eligible
)

select * from final
