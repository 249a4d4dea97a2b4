with

panel_scores as (
    select * from {{ ref('int_panel_scores') }}
),

abilities as (
    select *
    from {{ ref('int_principal_components') }}
    where quantity in ('ability', 'anchored_ability') and estimate is not null
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
        score as value,
        standard_error as value_standard_error
    from panel_scores

    union all

    select
        panel_id,
        case when quantity = 'ability' then 'component' else 'anchored' end as target_kind,
        case when quantity = 'ability' then 'component_' else 'anchored_' end
        || component_index as target,
        model_id,
        estimate as value,
        standard_error as value_standard_error
    from abilities
),

-- A budget of nothing has no logarithm; an unknown one is not guessed.
final as (
    select
        values_of_models.panel_id,
        values_of_models.target_kind,
        values_of_models.target,
        token_budgets.language as budget_language,
        values_of_models.model_id,
        lineages.lineage_id,
        log10(token_budgets.train_flop) as log10_train_flop,
        token_budgets.certainty,
        values_of_models.value,
        values_of_models.value_standard_error
    from values_of_models
    inner join token_budgets on values_of_models.model_id = token_budgets.model_id
    inner join lineages on values_of_models.model_id = lineages.model_id
    where token_budgets.train_flop > 0
)

select * from final
