with

run_pieces as (
    select * from {{ ref('int_run_pieces') }}
),

piece_scores as (
    select * from {{ ref('int_piece_scores') }}
),

corpus_scores as (
    select * from {{ ref('int_corpus_scores') }}
),

benchmarks as (
    select * from {{ ref('int_benchmarks') }}
),

run_files as (
    select * from {{ ref('stg_run_files') }}
),

with_effective_count as (
    select
        *,
        {{ effective_count('score', 'standard_error', 'cluster_count', 'item_count') }}
            as effective_item_count
    from piece_scores
),

-- Files of before their version was written down count for every version.
stand_ins as (
    select
        run_pieces.run_benchmark_id,
        bool_or(run_files.role != 'pool') as has_items,
        bool_or(run_files.role = 'pool') as has_shots
    from run_pieces
    inner join run_files
        on
            run_pieces.run_id = run_files.run_id
            and run_pieces.benchmark_id = run_files.benchmark_id
            and run_files.protocol_version in ('', run_pieces.protocol_version)
    where run_files.departure != ''
    group by run_pieces.run_benchmark_id
),

final as (
    select
        run_pieces.run_id,
        run_pieces.model_id,
        run_pieces.item_set,
        run_pieces.protocol,
        run_pieces.benchmark_id,
        run_pieces.protocol_version,
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
        with_effective_count.answered_on,
        benchmarks.item_count as expected_item_count,
        coalesce(stand_ins.has_items, false) as has_stand_in_items,
        coalesce(stand_ins.has_shots, false) as has_stand_in_shots,
        coalesce(
            run_pieces.item_set = 'real'
            and with_effective_count.item_count + with_effective_count.unscored_count
            = benchmarks.item_count
            and with_effective_count.unscored_sample_count = 0,
            false
        ) as is_complete
    from run_pieces
    inner join with_effective_count on run_pieces.piece_id = with_effective_count.piece_id
    left join corpus_scores on run_pieces.piece_id = corpus_scores.piece_id
    left join benchmarks on run_pieces.benchmark_id = benchmarks.benchmark_id
    left join stand_ins on run_pieces.run_benchmark_id = stand_ins.run_benchmark_id
)

select * from final
