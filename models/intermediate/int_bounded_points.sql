with

panel_scores as (
    select * from {{ ref('int_panel_scores') }}
),

abilities as (
    select *
    from {{ ref('int_principal_components') }}
    where
        quantity in ('ability', 'anchored_ability')
        and estimate is not null
        and component_index <= {{ var('anchored_component_count') }}
),

benchmarks as (
    select * from {{ ref('stg_benchmarks') }}
),

token_budgets as (
    select * from {{ ref('int_token_budgets') }}
),

lineages as (
    select * from {{ ref('int_model_lineages') }}
),

values_of_models as (
    select
        panel_id,
        'benchmark' as target_kind,
        benchmark_id as target,
        model_id,
        score as value
    from panel_scores

    union all

    select
        panel_id,
        case when quantity = 'ability' then 'component' else 'anchored' end as target_kind,
        case when quantity = 'ability' then 'component_' else 'anchored_' end
        || component_index as target,
        model_id,
        estimate as value
    from abilities
),

-- Of the languages that the study asks about. A budget of nothing has no logarithm; one that
-- nothing bounds is kept, to be counted.
final as (
    select
        values_of_models.panel_id,
        values_of_models.target_kind,
        values_of_models.target,
        token_budgets.language as budget_language,
        values_of_models.model_id,
        lineages.lineage_id,
        values_of_models.value,
        token_budgets.train_flop_low,
        token_budgets.train_flop_high
    from values_of_models
    inner join token_budgets on values_of_models.model_id = token_budgets.model_id
    inner join lineages on values_of_models.model_id = lineages.model_id
    where
        values_of_models.value is not null
        and (token_budgets.train_flop_high > 0 or token_budgets.train_flop_high is null)
        and token_budgets.language in (select benchmarks.language from benchmarks)
)

select * from final
