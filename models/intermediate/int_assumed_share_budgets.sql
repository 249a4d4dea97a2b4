with

stages as (
    select * from {{ ref('stg_training_stages') }}
    where is_share_assumed
),

stage_token_counts as (
    select * from {{ ref('int_stage_token_counts') }}
    where language = 'total'
),

ancestry as (
    select * from {{ ref('int_model_ancestry') }}
    where not is_cycle
),

models as (
    select * from {{ ref('stg_models') }}
),

token_budgets as (
    select * from {{ ref('int_token_budgets') }}
),

factors as (
    select unnest({{ var('assumed_share_factors') }}::double[]) as share_odds_factor
),

-- The odds of a share can be multiplied by anything, the share itself can not: half of a stage
-- times three is more than the stage. Of a small share the two are the same.
changes as (
    select
        ancestry.model_id,
        stages.language,
        factors.share_odds_factor,
        sum(
            6 * models.active_parameter_count::double
            * (
                stage_token_counts.token_count::double
                * factors.share_odds_factor * stages.token_count
                / (
                    stage_token_counts.token_count - stages.token_count
                    + factors.share_odds_factor * stages.token_count
                )
                - stages.token_count
            )
            order by ancestry.ancestor_model_id, stages.stage_index
        ) as added_train_flop
    from ancestry
    inner join models on ancestry.ancestor_model_id = models.model_id
    inner join stages on ancestry.ancestor_model_id = stages.model_id
    inner join stage_token_counts
        on
            stages.model_id = stage_token_counts.model_id
            and stages.stage_index = stage_token_counts.stage_index
    cross join factors
    group by ancestry.model_id, stages.language, factors.share_odds_factor
),

final as (
    select
        token_budgets.model_id,
        token_budgets.language as budget_language,
        changes.share_odds_factor,
        token_budgets.train_flop + changes.added_train_flop as train_flop
    from token_budgets
    inner join changes
        on
            token_budgets.model_id = changes.model_id
            and token_budgets.language = changes.language
    where token_budgets.train_flop > 0
)

select * from final
