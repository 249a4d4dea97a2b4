with

pieces as (
    {{ pieces_to_score() }}
),

item_scores as (
    select scores.*
    from {{ ref('int_item_scores') }} as scores
    where scores.piece_id in (select pieces.piece_id from pieces)
),

answers as (
    select * from {{ ref('stg_answers') }}
),

-- Samples are averaged within an item before items are averaged: pass@1 is the mean over items of
-- the share of samples that pass.
items as (
    select
        piece_id,
        item_hash,
        any_value(cluster_id) as cluster_id,
        avg(score) as score,
        avg(per_character_score) as per_character_score,
        count(*) as sample_count,
        count(*) filter (where score is null) as unscored_sample_count,
        count(*) filter (where is_tie) as tie_count,
        count(*) filter (where is_empty) as empty_count,
        -- Of imported completions nobody knows why they ended: that is unknown, not none.
        case
            when not coalesce(bool_or(is_empty is not null and is_truncated is null), false)
                then count(*) filter (where is_truncated)
        end as truncated_count,
        count(*) filter (where unscored_reason = 'failed') as failed_count
    from item_scores
    group by piece_id, item_hash
),

means as (
    select
        piece_id,
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
    group by piece_id
),

-- Items of a cluster (a subject, a passage) are alike: their deviations are summed before they
-- are squared.
cluster_deviations as (
    select
        items.piece_id,
        items.cluster_id,
        sum(items.score - means.score) as deviation
    from items
    inner join means on items.piece_id = means.piece_id
    where items.score is not null
    group by items.piece_id, items.cluster_id
),

clusters as (
    select
        piece_id,
        count(*) as cluster_count,
        sum(power(deviation, 2)) as squared_deviation_sum
    from cluster_deviations
    group by piece_id
),

answered as (
    select
        item_scores.piece_id,
        max(answers.answered_at)::date as answered_on
    from answers
    inner join item_scores on answers.request_id = item_scores.request_id
    group by item_scores.piece_id
),

final as (
    select
        pieces.piece_id,
        pieces.content_key,
        pieces.run_benchmark_id,
        pieces.run_id,
        pieces.benchmark_id,
        pieces.scorer_id,
        pieces.scorer_version,
        means.score,
        {{ clustered_standard_error(
            'clusters.squared_deviation_sum',
            'means.variance',
            'clusters.cluster_count',
            'means.item_count'
        ) }} as standard_error,
        means.per_character_score,
        means.item_count,
        means.unscored_count,
        coalesce(clusters.cluster_count, 0) as cluster_count,
        means.sample_count,
        means.unscored_sample_count,
        means.failed_count,
        means.empty_count,
        means.truncated_count,
        means.tie_count,
        answered.answered_on
    from pieces
    inner join means on pieces.piece_id = means.piece_id
    left join clusters on means.piece_id = clusters.piece_id
    left join answered on means.piece_id = answered.piece_id
)

select * from final
