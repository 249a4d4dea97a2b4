-- Where does compute not predict a lineage that the fit has not seen? A line on log compute is
-- fitted to the other lineages; its skill is the gain over their mean (1 is perfect, 0 no
-- gain, below 0 worse), with a 95% interval over lineages. Here stand the targets for which that
-- interval does not exclude 0, beside the share of the variance that the line explains in the
-- models it is fitted to, and what predicts best on the same models.
-- `dbt show` prints six columns; they hold the answer, the rest is there for `--output json`.
with

predictions as (
    select * from {{ ref('fct_lineage_predictions') }}
),

compute as (
    select *
    from predictions
    where
        (budget_language = 'total' and predictor = 'total_compute')
        or predictor = 'local_compute'
),

best as (
    select
        panel_id,
        target_kind,
        target,
        budget_language,
        predictor,
        skill
    from predictions
    where skill is not null
    qualify
        row_number() over (
            partition by panel_id, target_kind, target, budget_language
            order by skill desc, predictor asc
        ) = 1
),

-- Where no line can be fitted without some lineage there is nothing to tell.
final as (
    select
        compute.panel_id,
        compute.target,
        compute.budget_language,
        case
            when compute.skill_ci_high <= 0 then 'no better than the mean'
            else 'cannot be told'
        end as verdict,
        {{ interval_text('compute.skill', 'compute.skill_ci_low', 'compute.skill_ci_high') }}
            as skill_of_compute,
        format('{} {:.2f}', best.predictor, best.skill) as best_predictor,
        compute.target_kind,
        compute.model_count,
        compute.lineage_count,
        compute.r_squared,
        compute.skill,
        compute.skill_ci_low,
        compute.skill_ci_high,
        compute.root_mean_square_error,
        compute.interval_coverage,
        compute.lineage_interval_coverage
    from compute
    inner join best
        on
            compute.panel_id = best.panel_id
            and compute.target_kind = best.target_kind
            and compute.target = best.target
            and compute.budget_language = best.budget_language
    where compute.skill is not null and not coalesce(compute.skill_ci_low > 0, false)
)

select * from final
order by panel_id, target_kind, budget_language, skill, target
