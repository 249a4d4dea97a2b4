with

item_scores as (
    select * from {{ ref('int_item_scores') }}
),

items as (
    select
        run_id,
        model_id,
        item_set,
        benchmark_id,
        protocol_version,
        item_hash,
        count(score) as sample_count,
        count(*) filter (where score = 1) as passed_count
    from item_scores
    where scorer_id = 'program_passes'
    group by run_id, model_id, item_set, benchmark_id, protocol_version, item_hash
),

draws as (
    select unnest([1, 2, 5, 10]) as draw_count
),

estimated as (
    select
        items.*,
        draws.draw_count,
        {{ pass_at('draws.draw_count', 'items.sample_count', 'items.passed_count') }} as pass_rate
    from items
    cross join draws
),

final as (
    select
        run_id,
        model_id,
        item_set,
        benchmark_id,
        protocol_version,
        draw_count::integer as draw_count,
        avg(pass_rate) as pass_rate,
        stddev_samp(pass_rate) / sqrt(count(pass_rate)) as standard_error,
        count(pass_rate)::integer as item_count,
        count(*) filter (where pass_rate is null)::integer as unscored_count
    from estimated
    group by run_id, model_id, item_set, benchmark_id, protocol_version, draw_count
)

select * from final
