with

suspect_scores as (
    select * from {{ ref('int_suspect_scores') }}
),

final as (
    select
        model_id,
        benchmark_id,
        source_ref,
        score,
        score_high,
        chance_score,
        evidence_kind,
        evidence_model_id,
        evidence_benchmark_id,
        evidence_source_ref,
        evidence_score,
        evidence_low,
        evidence
    from suspect_scores
)

select * from final
