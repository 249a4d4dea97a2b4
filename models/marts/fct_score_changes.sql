with

run_pieces as (
    select * from {{ ref('int_run_pieces') }}
),

scored_samples as (
    select * from {{ ref('int_scored_samples') }}
),

item_scores as (
    select * from {{ ref('int_item_scores') }}
),

piece_scores as (
    select * from {{ ref('int_piece_scores') }}
),

-- Against the last version before the present one, where it scored the same samples.
previous_versions as (
    select
        run_pieces.run_benchmark_id,
        max_by(piece_scores.piece_id, piece_scores.scorer_version) as previous_piece_id,
        max(piece_scores.scorer_version) as previous_version
    from run_pieces
    inner join piece_scores
        on
            run_pieces.run_benchmark_id = piece_scores.run_benchmark_id
            and run_pieces.scorer_id = piece_scores.scorer_id
            and run_pieces.scorer_version > piece_scores.scorer_version
    group by run_pieces.run_benchmark_id
),

compared as (
    select
        item_scores.*,
        previous_versions.previous_version,
        scored_samples.answer_text as previous_answer_text,
        scored_samples.score as previous_score
    from previous_versions
    inner join scored_samples on previous_versions.previous_piece_id = scored_samples.piece_id
    inner join item_scores
        on
            previous_versions.run_benchmark_id = item_scores.run_benchmark_id
            and scored_samples.item_hash = item_scores.item_hash
            and scored_samples.sample_index = item_scores.sample_index
),

with_effect as (
    select
        *,
        -- Over all samples of the run that have both scores, changed or not.
        avg(score - previous_score) over (partition by run_benchmark_id) as run_score_change
    from compared
),

final as (
    select
        run_id,
        model_id,
        benchmark_id,
        protocol_version,
        item_id,
        item_hash,
        sample_index,
        scorer_id,
        previous_version::integer as previous_version,
        scorer_version,
        previous_answer_text,
        answer_text,
        previous_score,
        score,
        run_score_change,
        request_id
    from with_effect
    where
        score is distinct from previous_score
        or answer_text is distinct from previous_answer_text
)

select * from final
