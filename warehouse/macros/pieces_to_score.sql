{% macro pieces_to_score(scorer_kind) %}
{#- Pieces (a run's samples of a benchmark, under a version of their scorer) of `scorer_kind` that
    the incremental model around this does not hold as they are. #}
    select
        pieces.piece_id,
        pieces.content_key,
        pieces.run_id,
        pieces.benchmark_id,
        pieces.scorer_id,
        pieces.scorer_version
    from {{ ref('int_run_pieces') }} as pieces
    where
        pieces.scorer_kind = '{{ scorer_kind }}'
        {% if is_incremental() %}
            and not exists (
                select 1
                from {{ this }} as held
                where held.piece_id = pieces.piece_id and held.content_key = pieces.content_key
            )
        {% endif %}
{% endmacro %}
