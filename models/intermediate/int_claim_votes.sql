with

evidence as (
    select * from {{ ref('int_claim_evidence') }}
),

without_one as (
    select * from {{ ref('int_claim_influences') }}
),

-- What is left out is named; nothing is left out of the evidence itself. A method that is not
-- estimated anew without a unit says of that unit's absence what it says with it.
left_out as (
    select distinct
        claim_id,
        panel_id,
        left_out_kind,
        left_out_id
    from without_one
),

estimates as (
    select
        *,
        'nothing' as left_out_kind,
        '' as left_out_id
    from evidence

    union all by name

    select
        evidence.* replace (
            case
                when without_one.method is null then evidence.estimate
                else without_one.estimate
            end as estimate,
            case when without_one.method is null then evidence.ci_low else without_one.ci_low end
                as ci_low,
            case when without_one.method is null then evidence.ci_high else without_one.ci_high end
                as ci_high,
            case
                when without_one.method is null then evidence.effective_lineage_count
                else without_one.effective_lineage_count
            end as effective_lineage_count
        ),
        left_out.left_out_kind,
        left_out.left_out_id
    from evidence
    inner join left_out
        on evidence.claim_id = left_out.claim_id and evidence.panel_id = left_out.panel_id
    left join without_one
        on
            evidence.claim_id = without_one.claim_id
            and evidence.panel_id = without_one.panel_id
            and evidence.part_index = without_one.part_index
            and evidence.method = without_one.method
            and left_out.left_out_kind = without_one.left_out_kind
            and left_out.left_out_id = without_one.left_out_id
),

-- Fewer than two lineages' worth of evidence is none, whatever its interval.
final as (
    select
        claim_id,
        panel_id,
        part_index,
        evidence,
        method,
        is_required,
        is_primary,
        target_kind,
        target,
        on_what,
        region_low,
        region_high,
        estimate,
        ci_low,
        ci_high,
        lineage_count,
        effective_lineage_count,
        left_out_kind,
        left_out_id,
        case
            when effective_lineage_count < 2 then 'open'
            -- Worse than the mean of the other lineages: nothing was learned that holds there.
            when method = 'lineage_prediction' and estimate > 0 then 'for'
            when method = 'lineage_prediction' and estimate <= 0 then 'against'
            else {{ interval_vote('ci_low', 'ci_high', 'region_low', 'region_high') }}
        end as vote,
        case
            when effective_lineage_count < 2
                then 'worth ' || round(effective_lineage_count, 1) || ' lineages'
            when ci_low is null and method != 'lineage_prediction' then 'no interval'
            when estimate is null then 'no estimate'
        end as hindrance
    from estimates
)

select * from final
