{{ config(materialized='view') }}

with

votes as (
    select * from {{ ref('int_claim_votes') }}
),

claims as (
    select * from {{ ref('int_claims') }}
),

final as (
    select
        votes.claim_id,
        votes.panel_id,
        votes.part_index,
        votes.method,
        (select max(builds.build_number) from meta.builds as builds) as build_number,
        claims.verdict,
        votes.vote,
        round(votes.estimate, 6) as estimate,
        round(votes.ci_low, 6) as ci_low,
        round(votes.ci_high, 6) as ci_high
    from votes
    inner join claims
        on votes.claim_id = claims.claim_id and votes.panel_id = claims.panel_id
    where votes.left_out_kind = 'nothing'
)

select * from final
