with

pieces as (
    {{ pieces_to_score('choice') }}
),

run_requests as (
    select * from {{ ref('stg_run_requests') }}
),

log_likelihoods as (
    select * from {{ ref('stg_log_likelihoods') }}
),

items as (
    select * from {{ ref('stg_items') }}
),

-- A choice is a continuation of one context, or a context of one continuation. By letters, not by
-- bytes or tokens: lm-evaluation-harness's acc_norm.
choices as (
    select
        pieces.piece_id,
        run_requests.item_hash,
        run_requests.sample_index,
        run_requests.variant_index + log_likelihoods.continuation_index as choice_index,
        log_likelihoods.log_likelihood,
        log_likelihoods.log_likelihood / nullif(
            length(
                items.choices[
                    run_requests.variant_index + log_likelihoods.continuation_index + 1
                ]
            ),
            0
        ) as log_likelihood_per_character
    from pieces
    inner join run_requests
        on
            pieces.run_id = run_requests.run_id
            and pieces.benchmark_id = run_requests.benchmark_id
            and pieces.scorer_id = run_requests.scorer
    inner join log_likelihoods on run_requests.request_id = log_likelihoods.request_id
    inner join items on run_requests.item_hash = items.item_hash
    where run_requests.purpose = 'answer'
),

weighed as (
    select
        piece_id,
        item_hash,
        sample_index,
        max(log_likelihood) as largest,
        max(log_likelihood_per_character) as largest_per_character,
        list(log_likelihood order by choice_index asc) as values_by_choice,
        list(log_likelihood_per_character order by choice_index asc) as values_per_character
    from choices
    group by piece_id, item_hash, sample_index
),

-- The first of equals.
chosen as (
    select
        *,
        list_position(values_by_choice, largest) as position,
        list_position(values_per_character, largest_per_character) as position_per_character
    from weighed
),

final as (
    select
        pieces.piece_id,
        pieces.content_key,
        pieces.run_id,
        pieces.benchmark_id,
        pieces.scorer_id,
        pieces.scorer_version,
        chosen.item_hash,
        chosen.sample_index,
        items.choices[chosen.position] as answer_text,
        (chosen.position = items.gold_index + 1)::double as score,
        (chosen.position_per_character = items.gold_index + 1)::double as per_character_score,
        list_contains(chosen.values_by_choice[chosen.position + 1:], chosen.largest) as is_tie,
        null::varchar as unscored_reason
    from chosen
    inner join pieces on chosen.piece_id = pieces.piece_id
    inner join items on chosen.item_hash = items.item_hash
    -- An item of which a choice is missing still cannot be scored.
    where len(chosen.values_by_choice) = len(items.choices)
)

select * from final
