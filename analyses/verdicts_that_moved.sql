with

history as (
    select * from {{ ref('findings_history') }}
),

-- Of a build, one row per claim and panel is enough: its methods share the verdict.
verdicts as (
    select
        claim_id,
        panel_id,
        build_number,
        any_value(verdict) as verdict
    from history
    group by claim_id, panel_id, build_number
),

compared as (
    select
        *,
        lag(verdict) over (
            partition by claim_id, panel_id
            order by build_number
        ) as verdict_before
    from verdicts
),

final as (
    select
        compared.claim_id,
        compared.panel_id,
        compared.build_number,
        compared.verdict_before,
        compared.verdict,
        compared.build_number = (select max(builds.build_number) from meta.builds as builds)
            as is_by_last_build,
        claims.claim
    from compared
    inner join {{ ref('fct_claims') }} as claims
        on compared.claim_id = claims.claim_id and compared.panel_id = claims.panel_id
    where compared.verdict_before != compared.verdict
    order by compared.build_number desc, claims.claim_order asc, compared.panel_id asc
)

select * from final
