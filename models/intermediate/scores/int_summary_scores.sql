with

completed as (
    {{ samples_to_score('summary') }}
),

bigrams as (
    select
        piece_id,
        item_hash,
        sample_index,
        true as is_candidate,
        unnest(list_zip(completion_token_ids[:-2], completion_token_ids[2:])) as bigram
    from completed
    union all
    select
        piece_id,
        item_hash,
        sample_index,
        false as is_candidate,
        unnest(list_zip(target_token_ids[:-2], target_token_ids[2:])) as bigram
    from completed
),

counted as (
    select
        piece_id,
        item_hash,
        sample_index,
        bigram,
        count(*) filter (where is_candidate) as candidate_count,
        count(*) filter (where not is_candidate) as target_count
    from bigrams
    group by piece_id, item_hash, sample_index, bigram
),

summed as (
    select
        piece_id,
        item_hash,
        sample_index,
        sum(least(candidate_count, target_count)) as match_count,
        sum(candidate_count) as candidate_count,
        sum(target_count) as target_count
    from counted
    group by piece_id, item_hash, sample_index
),

-- The harmonic mean of m / c and m / t is 2 m / (c + t); texts without a pair of tokens match in
-- nothing. Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries.
final as (
    select
        completed.piece_id,
        completed.content_key,
        completed.run_id,
        completed.benchmark_id,
        completed.scorer_id,
        completed.scorer_version,
        completed.item_hash,
        completed.sample_index,
        completed.completion_text as answer_text,
        case
            when
                completed.completion_token_ids is not null
                and completed.target_token_ids is not null
                then
                    coalesce(
                        2 * summed.match_count
                        / nullif(summed.candidate_count + summed.target_count, 0),
                        0
                    )
        end as score,
        null::double as per_character_score,
        null::boolean as is_tie,
        case
            when completed.completion_token_ids is null or completed.target_token_ids is null
                then 'no_token_ids'
        end as unscored_reason
    from completed
    left join summed
        on
            completed.piece_id = summed.piece_id
            and completed.item_hash = summed.item_hash
            and completed.sample_index = summed.sample_index
)

select * from final
