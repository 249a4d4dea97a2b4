{{ config(materialized='view') }}

with

evidence as (
    select * from {{ ref('int_claim_evidence') }}
),

claims as (
    select * from {{ ref('int_claims') }}
),

final as (
    select
        evidence.claim_id,
        evidence.panel_id,
        evidence.part_index,
        evidence.method,
        (select max(builds.build_number) from meta.builds as builds) as build_number,
        claims.verdict,
        evidence.vote,
        round(evidence.estimate, 6) as estimate,
        round(evidence.ci_low, 6) as ci_low,
        round(evidence.ci_high, 6) as ci_high
    from evidence
    inner join claims
        on evidence.claim_id = claims.claim_id and evidence.panel_id = claims.panel_id
)

select * from final
