with

claims as (
    select * from {{ ref('stg_claims') }}
),

verdicts as (
    select * from {{ ref('int_claim_verdicts') }}
),

final as (
    select
        claims.claim_id,
        claims.claim_order,
        verdicts.panel_id,
        claims.claim,
        claims.source,
        claims.counterpart_claim_id,
        verdicts.part_count,
        verdicts.verdict,
        verdicts.doubts
    from claims
    inner join verdicts on claims.claim_id = verdicts.claim_id
    where verdicts.left_out_kind = 'nothing'
)

select * from final
