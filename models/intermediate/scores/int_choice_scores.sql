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
            and pieces.protocol_version = run_requests.protocol_version
            and pieces.scorer_id = run_requests.scorer
    inner join log_likelihoods on run_requests.request_id = log_likelihoods.request_id
    inner join items on run_requests.item_hash = items.item_hash
    where run_requests.purpose = 'answer'
),

-- Sorted when they are together: an ordered aggregate would sort every sample's by itself, which
-- takes three times as long, and more memory than there is for hundreds of models.
weighed as (
    select
        piece_id,
        item_hash,
        sample_index,
        list_sort(
            list(
                struct_pack(
                    choice_index := choice_index,
                    log_likelihood := log_likelihood,
                    per_character := log_likelihood_per_character
                )
            )
        ) as by_choice
    from choices
    group by piece_id, item_hash, sample_index
),

listed as (
    select
        weighed.piece_id,
        weighed.item_hash,
        weighed.sample_index,
        list_transform(weighed.by_choice, lambda x: x.log_likelihood) as values_by_choice,
        list_transform(weighed.by_choice, lambda x: x.per_character) as values_per_character
    from weighed
),

-- The first of equals, as numpy's argmax takes it for the references: also of choices that are all
-- impossible, at minus infinity, which is a tie like any other.
chosen as (
    select
        *,
        list_max(values_by_choice) as largest,
        list_position(values_by_choice, list_max(values_by_choice)) as position,
        list_position(values_per_character, list_max(values_per_character))
            as position_per_character
    from listed
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
