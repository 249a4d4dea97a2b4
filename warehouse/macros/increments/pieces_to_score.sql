{% macro pieces_to_score(scorer_kind='%') %}
{#- Pieces (a run's samples of a benchmark, under a version of their scorer), all or those of
    `scorer_kind`, that the incremental model around this does not hold as they are. #}
    select pieces.*
    from {{ ref('int_run_pieces') }} as pieces
    where
        pieces.scorer_kind like '{{ scorer_kind }}'
        {% if is_incremental() %}
            and not exists (
                select 1
                from (select distinct piece_id, content_key from {{ this }}) as held
                where held.piece_id = pieces.piece_id and held.content_key = pieces.content_key
            )
        {% endif %}
{% endmacro %}
