{{ config(materialized='view') }}

-- A view: of millions of samples there is no second copy.
with

item_scores as (
    select * from {{ ref('int_item_scores') }}
),

final as (
    select
        run_benchmark_id,
        piece_id,
        content_key,
        run_id,
        model_id,
        item_set,
        protocol,
        benchmark_id,
        protocol_version,
        item_id,
        item_hash,
        subset,
        cluster_id,
        sample_index,
        score,
        per_character_score,
        answer_text,
        is_tie,
        is_empty,
        is_truncated,
        unscored_reason,
        scorer_id,
        scorer_version,
        request_id
    from item_scores
)

select * from final
