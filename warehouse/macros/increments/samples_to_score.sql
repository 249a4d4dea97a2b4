{% macro samples_to_score(scorer_kind) %}
{#- Samples with a completion of the pieces that are to be scored; see pieces_to_score. #}
    select
        pieces.piece_id,
        pieces.content_key,
        pieces.scorer_version,
        samples.*
    from ({{ pieces_to_score(scorer_kind) }}) as pieces
    inner join {{ ref('int_samples') }} as samples
        on
            pieces.run_id = samples.run_id
            and pieces.benchmark_id = samples.benchmark_id
            and pieces.protocol_version = samples.protocol_version
            and pieces.scorer_id = samples.scorer_id
    where samples.completion_text is not null
{% endmacro %}
