with

item_scores as (
    select * from {{ ref('fct_item_scores') }}
),

run_pieces as (
    select * from {{ ref('int_run_pieces') }}
),

corpus_scores as (
    select * from {{ ref('int_corpus_scores') }}
),

benchmarks as (
    select * from {{ ref('dim_benchmarks') }}
),

run_files as (
    select * from {{ ref('stg_run_files') }}
),

answers as (
    select * from {{ ref('stg_answers') }}
),

-- Samples are averaged within an item before items are averaged: pass@1 is the mean over items of
-- the share of samples that pass.
items as (
    select
        run_benchmark_id,
        item_hash,
        any_value(cluster_id) as cluster_id,
        avg(score) as score,
        avg(per_character_score) as per_character_score,
        count(*) as sample_count,
        count(*) filter (where score is null) as unscored_sample_count,
        count(*) filter (where is_tie) as tie_count,
        count(*) filter (where is_empty) as empty_count,
        count(*) filter (where is_truncated) as truncated_count,
        count(*) filter (where unscored_reason = 'failed') as failed_count
    from item_scores
    group by run_benchmark_id, item_hash
),

means as (
    select
        run_benchmark_id,
        avg(score) as score,
        avg(per_character_score) as per_character_score,
        var_samp(score) as variance,
        count(score) as item_count,
        count(*) filter (where score is null) as unscored_count,
        sum(sample_count) as sample_count,
        sum(unscored_sample_count) as unscored_sample_count,
        sum(tie_count) as tie_count,
        sum(empty_count) as empty_count,
        sum(truncated_count) as truncated_count,
        sum(failed_count) as failed_count
    from items
    group by run_benchmark_id
),

-- Items of a cluster (a subject, a passage) are alike: their deviations are summed before they
-- are squared.
cluster_deviations as (
    select
        items.run_benchmark_id,
        items.cluster_id,
        sum(items.score - means.score) as deviation
    from items
    inner join means on items.run_benchmark_id = means.run_benchmark_id
    where items.score is not null
    group by items.run_benchmark_id, items.cluster_id
),

clusters as (
    select
        run_benchmark_id,
        count(*) as cluster_count,
        sum(power(deviation, 2)) as squared_deviation_sum
    from cluster_deviations
    group by run_benchmark_id
),

mean_scores as (
    select
        means.*,
        coalesce(clusters.cluster_count, 0) as cluster_count,
        {{ clustered_standard_error(
            'clusters.squared_deviation_sum',
            'means.variance',
            'clusters.cluster_count',
            'means.item_count'
        ) }} as standard_error
    from means
    left join clusters on means.run_benchmark_id = clusters.run_benchmark_id
),

with_effective_count as (
    select
        *,
        {{ effective_count('score', 'standard_error', 'cluster_count', 'item_count') }}
            as effective_item_count
    from mean_scores
),

answered as (
    select
        item_scores.run_benchmark_id,
        max(answers.answered_at)::date as answered_on
    from item_scores
    inner join answers on item_scores.request_id = answers.request_id
    group by item_scores.run_benchmark_id
),

stand_ins as (
    select
        run_id,
        benchmark_id,
        bool_or(role != 'pool') as has_items,
        bool_or(role = 'pool') as has_shots
    from run_files
    where departure != ''
    group by run_id, benchmark_id
),

final as (
    select
        run_pieces.run_id,
        run_pieces.model_id,
        run_pieces.item_set,
        run_pieces.protocol,
        run_pieces.benchmark_id,
        run_pieces.scorer_id,
        run_pieces.scorer_version::integer as scorer_version,
        if(
            run_pieces.aggregation = 'mean', with_effective_count.score, corpus_scores.score
        ) as score,
        if(
            run_pieces.aggregation = 'mean',
            with_effective_count.standard_error,
            corpus_scores.standard_error
        ) as standard_error,
        if(run_pieces.aggregation = 'mean', 'clustered', 'bootstrap') as standard_error_method,
        case
            when run_pieces.aggregation != 'mean' then corpus_scores.ci_low
            else
                {{ wilson_bound(
                    'with_effective_count.score', 'with_effective_count.effective_item_count', '-'
                ) }}
        end as ci_low,
        case
            when run_pieces.aggregation != 'mean' then corpus_scores.ci_high
            else
                {{ wilson_bound(
                    'with_effective_count.score', 'with_effective_count.effective_item_count', '+'
                ) }}
        end as ci_high,
        with_effective_count.per_character_score,
        with_effective_count.item_count::integer as item_count,
        with_effective_count.unscored_count::integer as unscored_count,
        with_effective_count.cluster_count::integer as cluster_count,
        with_effective_count.sample_count::integer as sample_count,
        with_effective_count.unscored_sample_count::integer as unscored_sample_count,
        with_effective_count.failed_count::integer as failed_count,
        with_effective_count.empty_count::integer as empty_count,
        with_effective_count.truncated_count::integer as truncated_count,
        with_effective_count.tie_count::integer as tie_count,
        answered.answered_on,
        benchmarks.item_count as expected_item_count,
        coalesce(stand_ins.has_items, false) as has_stand_in_items,
        coalesce(stand_ins.has_shots, false) as has_stand_in_shots,
        coalesce(
            run_pieces.item_set = 'real'
            and not coalesce(stand_ins.has_items, false)
            and with_effective_count.item_count + with_effective_count.unscored_count
            = benchmarks.item_count
            and with_effective_count.unscored_sample_count = 0,
            false
        ) as is_complete
    from run_pieces
    inner join with_effective_count
        on run_pieces.run_benchmark_id = with_effective_count.run_benchmark_id
    left join answered on run_pieces.run_benchmark_id = answered.run_benchmark_id
    left join corpus_scores
        on
            run_pieces.run_id = corpus_scores.run_id
            and run_pieces.benchmark_id = corpus_scores.benchmark_id
    left join benchmarks on run_pieces.benchmark_id = benchmarks.benchmark_id
    left join stand_ins
        on
            run_pieces.run_id = stand_ins.run_id
            and run_pieces.benchmark_id = stand_ins.benchmark_id
)

select * from final
