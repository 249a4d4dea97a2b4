with

models as (
    select * from {{ ref('stg_models') }}
),

token_budgets as (
    select * from {{ ref('int_token_budgets') }}
),

ancestry as (
    select * from {{ ref('int_model_ancestry') }}
),

-- Training types name the language they aimed at; what an ancestor was trained on stays.
aims as (
    select
        ancestry.model_id,
        bool_or(ends_with(ancestors.training_type, '_{{ var("local_language") }}'))
            as is_trained_on_local_language
    from ancestry
    inner join models as ancestors on ancestry.ancestor_model_id = ancestors.model_id
    group by ancestry.model_id
),

-- A budget of nothing has no logarithm; an unknown one is not guessed.
budgets as (
    select
        model_id,
        language,
        log10(train_flop) as log10_train_flop
    from token_budgets
    where train_flop > 0
),

totals as (
    select *
    from budgets
    where language = 'total'
),

-- Predictors are compared on the same models, hence a set of models for what must be known of them.
sets as (
    select
        'none' as budget_language,
        models.model_id,
        null::double as log10_total_train_flop,
        null::double as log10_train_flop
    from models

    union all

    select
        totals.language as budget_language,
        totals.model_id,
        totals.log10_train_flop as log10_total_train_flop,
        null::double as log10_train_flop
    from totals

    union all

    select
        budgets.language as budget_language,
        budgets.model_id,
        totals.log10_train_flop as log10_total_train_flop,
        budgets.log10_train_flop
    from budgets
    inner join totals on budgets.model_id = totals.model_id
    where budgets.language != 'total'
),

final as (
    select
        sets.budget_language,
        sets.model_id,
        log10(models.parameter_count) as log10_parameter_count,
        sets.log10_total_train_flop,
        sets.log10_train_flop,
        aims.is_trained_on_local_language
    from sets
    inner join models on sets.model_id = models.model_id
    inner join aims on sets.model_id = aims.model_id
    where models.parameter_count > 0
)

select * from final
