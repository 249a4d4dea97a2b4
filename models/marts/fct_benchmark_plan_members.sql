with

members as (
    select *
    from {{ ref('int_benchmark_plans') }}
    where quantity = 'member'
),

benchmarks as (
    select * from {{ ref('int_benchmarks') }}
),

token_counts as (
    select * from {{ ref('int_item_token_counts') }}
),

final as (
    select
        members.panel_id::varchar as panel_id,
        members.objective::varchar as objective,
        members.benchmark_count::integer as benchmark_count,
        members.benchmark_id::varchar as benchmark_id,
        members.asked_position is not null as is_asked,
        members.asked_position::integer as asked_position,
        benchmarks.item_count::integer as item_count,
        token_counts.token_count_per_item::double as token_count_per_item,
        token_counts.item_set::varchar as token_item_set,
        members.selection_share::double as selection_share,
        members.root_mean_square_error::double as optimistic_root_mean_square_error
    from members
    inner join benchmarks on members.benchmark_id = benchmarks.benchmark_id
    left join token_counts on members.benchmark_id = token_counts.benchmark_id
)

select * from final
