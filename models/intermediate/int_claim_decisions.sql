with

verdicts as (
    select * from {{ ref('int_claim_verdicts') }}
),

panels as (
    select * from {{ ref('stg_panels') }}
),

known_influences as (
    select * from {{ ref('stg_known_influences') }}
),

with_everything as (
    select * from verdicts
    where left_out_kind = 'nothing'
),

-- A panel of the same models without its suspect cells says what these decide.
without as (
    select
        claim_id,
        panel_id,
        left_out_kind,
        left_out_id,
        verdict
    from verdicts
    where left_out_kind != 'nothing'

    union all

    select
        with_everything.claim_id,
        faithful.panel_id,
        'suspect_cells' as left_out_kind,
        corrected.panel_id as left_out_id,
        with_everything.verdict
    from panels as faithful
    inner join panels as corrected
        on
            faithful.model_choice = corrected.model_choice
            and faithful.score_choice || '_corrected' = corrected.score_choice
    inner join with_everything on corrected.panel_id = with_everything.panel_id
),

final as (
    select
        without.claim_id,
        without.panel_id,
        without.left_out_kind,
        without.left_out_id,
        with_everything.verdict,
        without.verdict as verdict_without,
        without.verdict != with_everything.verdict as is_decisive,
        known_influences.reason as known_reason
    from without
    inner join with_everything
        on
            without.claim_id = with_everything.claim_id
            and without.panel_id = with_everything.panel_id
    left join known_influences
        on
            without.claim_id = known_influences.claim_id
            and without.panel_id = known_influences.panel_id
            and without.left_out_kind = known_influences.left_out_kind
            and without.left_out_id = known_influences.left_out_id
)

select * from final
