with

pieces as (
    {{ pieces_to_score('logged') }}
),

samples as (
    select * from {{ ref('int_samples') }}
),

logged_scores as (
    select * from {{ ref('stg_logged_scores') }}
),

answers as (
    select * from {{ ref('stg_answers') }}
),

main_scores as (
    select * from logged_scores
    where is_main
),

final as (
    select
        pieces.piece_id,
        pieces.content_key,
        pieces.run_id,
        pieces.benchmark_id,
        pieces.scorer_id,
        pieces.scorer_version,
        samples.item_hash,
        samples.sample_index,
        main_scores.answer_text,
        main_scores.logged_score as score,
        null::double as per_character_score,
        null::boolean as is_tie,
        if(main_scores.logged_score is null, 'not_logged', null) as unscored_reason
    from pieces
    inner join samples
        on
            pieces.run_id = samples.run_id
            and pieces.benchmark_id = samples.benchmark_id
            and pieces.protocol_version = samples.protocol_version
            and pieces.scorer_id = samples.scorer_id
    left join main_scores
        on
            samples.request_id = main_scores.request_id
            and samples.item_hash = main_scores.item_hash
    -- What was not answered is worth nothing, whatever the harness made of it: it has failed.
    where samples.request_id in (select answers.request_id from answers)
)

select * from final
