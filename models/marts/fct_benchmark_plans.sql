with

plans as (
    select *
    from {{ ref('int_benchmark_plans') }}
    where quantity = 'plan'
),

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

-- The cost of all that is asked is unknown if that of one benchmark is.
costs as (
    select
        members.panel_id,
        members.objective,
        members.benchmark_count,
        string_agg(members.benchmark_id, ', ' order by members.asked_position) as benchmark_ids,
        sum(benchmarks.item_count) as item_count,
        case
            when count(*) = count(token_counts.token_count_per_item)
                then sum(benchmarks.item_count * token_counts.token_count_per_item)
        end as token_count,
        case
            when count(*) = count(token_counts.token_count_per_item)
                then if(bool_and(token_counts.item_set = 'real'), 'real', 'demo')
        end as token_item_set
    from members
    inner join benchmarks on members.benchmark_id = benchmarks.benchmark_id
    left join token_counts on members.benchmark_id = token_counts.benchmark_id
    where members.asked_position is not null
    group by members.panel_id, members.objective, members.benchmark_count
),

final as (
    select
        plans.panel_id::varchar as panel_id,
        plans.objective::varchar as objective,
        plans.benchmark_count::integer as benchmark_count,
        costs.benchmark_ids::varchar as benchmark_ids,
        costs.item_count::bigint as item_count,
        costs.token_count::bigint as token_count,
        costs.token_item_set::varchar as token_item_set,
        plans.model_count::integer as model_count,
        plans.lineage_count::integer as lineage_count,
        plans.ridge::double as ridge,
        plans.root_mean_square_error::double as root_mean_square_error,
        plans.standardised_error::double as standardised_error,
        plans.explained_share::double as explained_share,
        plans.worst_lineage_id::varchar as worst_lineage_id,
        plans.worst_lineage_error::double as worst_lineage_error,
        plans.optimistic_standardised_error::double as optimistic_standardised_error
    from plans
    left join costs
        on
            plans.panel_id = costs.panel_id
            and plans.objective = costs.objective
            and plans.benchmark_count = costs.benchmark_count
)

select * from final
