with

claims as (
    select * from {{ ref('stg_claims') }}
),

evidence as (
    select * from {{ ref('int_claim_evidence') }}
),

parts as (
    select
        claim_id,
        panel_id,
        part_index,
        bool_and(vote = 'for') filter (where is_required) as is_supported,
        bool_and(vote = 'against') filter (where is_primary)
        and not bool_or(vote = 'for') filter (where is_required) as is_refuted,
        string_agg(
            method || ' is ' || vote
            || case when ci_low is null and vote = 'open' then ' (no interval)' else '' end,
            ', '
            order by is_primary desc, method
        ) filter (where is_required and vote != 'for') as doubts
    from evidence
    group by claim_id, panel_id, part_index
),

verdicts as (
    select
        claim_id,
        panel_id,
        count(*) as part_count,
        case
            when bool_or(is_refuted) then 'not supported'
            when bool_and(is_supported) then 'supported'
            else 'cannot be told'
        end as verdict,
        string_agg('part ' || part_index || ': ' || doubts, '; ' order by part_index)
            filter (where doubts is not null) as doubts
    from parts
    group by claim_id, panel_id
),

final as (
    select
        claims.claim_id,
        claims.claim_order,
        verdicts.panel_id,
        claims.claim,
        claims.source,
        verdicts.part_count,
        verdicts.verdict,
        verdicts.doubts
    from claims
    inner join verdicts on claims.claim_id = verdicts.claim_id
)

select * from final
