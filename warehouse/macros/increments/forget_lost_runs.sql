{% macro forget_lost_runs() %}
{#- Deletes what an incremental model holds of runs, benchmarks and protocol versions that the raw
    store does not have. A piece is named by these, its scorer and the scorer's version, of which
    the earlier ones stay. #}
    delete from {{ this }}
    where
        piece_id in (
            select held.piece_id
            from (select distinct piece_id from {{ this }}) as held
            where
                regexp_replace(held.piece_id, ' [^ ]+ [0-9]+$', '') not in (
                    select pieces.run_benchmark_id from {{ ref('int_run_pieces') }} as pieces
                )
        )
{% endmacro %}
