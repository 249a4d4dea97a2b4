-- Which benchmarks are worth asking of a new model, if the rest is told from them? The plans that
-- no other one beats: none explains more of what is not asked with as few items. Errors are those
-- for a lineage that took no part in choosing the plan. Tokens are null where no run here counted
-- them, and too small where only a demonstration did (token_item_set).
-- `dbt show` prints six columns; they hold the answer, the rest is there for `--output json`.
with

plans as (
    select *
    from {{ ref('fct_benchmark_plans') }}
    where explained_share is not null
),

best_so_far as (
    select
        *,
        max(explained_share) over (
            partition by panel_id
            order by item_count asc, explained_share desc
            rows between unbounded preceding and 1 preceding
        ) as explained_share_with_fewer_items
    from plans
),

final as (
    select
        panel_id,
        benchmark_count,
        item_count,
        round(explained_share, 3) as explained_share,
        round(root_mean_square_error, 4) as root_mean_square_error,
        benchmark_ids,
        objective,
        token_count,
        token_item_set,
        standardised_error,
        optimistic_standardised_error,
        worst_lineage_id,
        worst_lineage_error,
        model_count,
        lineage_count
    from best_so_far
    where explained_share > coalesce(explained_share_with_fewer_items, 0)
)

select * from final
order by panel_id, item_count, benchmark_count
