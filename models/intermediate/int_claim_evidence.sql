with

claim_parts as (
    select * from {{ ref('stg_claim_parts') }}
),

panels as (
    select * from {{ ref('stg_panels') }}
),

scaling_fits as (
    select * from {{ ref('int_scaling_fits') }}
),

predictions as (
    select * from {{ ref('int_lineage_predictions') }}
),

correlations as (
    select * from {{ ref('int_benchmark_correlations') }}
),

components as (
    select * from {{ ref('int_principal_components') }}
),

paired_effects as (
    select * from {{ ref('int_paired_effects') }}
),

stability as (
    select * from {{ ref('int_component_stability') }}
),

-- The rule, fixed before verdicts were looked at, but for pairs, which came later. A claim needs
-- every method that is required; the primary ones, which take lineages as the unit, can refute it.
methods as (
    select
        voting.evidence,
        voting.method,
        voting.is_required,
        voting.is_primary
    from (
        values
        ('slope', 'ols_lineage_jackknife', true, true),
        ('slope', 'ols_lineage_cr2', true, true),
        ('slope', 'lineage_fixed_effects', true, false),
        ('slope', 'lineage_random_intercepts', false, false),
        ('slope', 'ols', false, false),
        ('slope', 'lineage_prediction', true, false),
        ('correlation', 'lineages', true, true),
        ('correlation', 'models', true, false),
        ('loading', 'lineages', true, true),
        ('paired', 'pairs', true, true)
    ) as voting (evidence, method, is_required, is_primary)
),

-- What is asked has a row whether or not it could be estimated.
asked as (
    select
        panels.panel_id,
        claim_parts.claim_id,
        claim_parts.part_index,
        claim_parts.evidence,
        methods.method,
        methods.is_required,
        methods.is_primary,
        claim_parts.target_kind,
        claim_parts.target,
        claim_parts.on_what,
        claim_parts.region_low,
        claim_parts.region_high
    from claim_parts
    cross join panels
    inner join methods on claim_parts.evidence = methods.evidence
    where
        (methods.method != 'lineage_prediction' or claim_parts.needs_gain)
        -- Pairs belong to no panel; their abilities are anchored on the reference panel.
        and (claim_parts.evidence != 'paired' or panels.is_reference)
),

estimates as (
    select
        'slope' as evidence,
        panel_id,
        target_kind,
        target,
        budget_language as on_what,
        method,
        slope as estimate,
        slope_ci_low as ci_low,
        slope_ci_high as ci_high,
        lineage_count,
        effective_lineage_count
    from scaling_fits

    union all

    select
        'slope' as evidence,
        panel_id,
        target_kind,
        target,
        budget_language as on_what,
        'lineage_prediction' as method,
        skill as estimate,
        skill_low as ci_low,
        skill_high as ci_high,
        lineage_count,
        null as effective_lineage_count
    from predictions
    where
        quantity = 'errors'
        and predictor
        = case budget_language when 'total' then 'total_compute' else 'local_compute' end

    union all

    -- A pair stands once, in the order of its names.
    select
        'correlation' as evidence,
        correlations.panel_id,
        'benchmark' as target_kind,
        case
            when turns.is_turned then correlations.benchmark_id_2 else correlations.benchmark_id_1
        end as target,
        case
            when turns.is_turned then correlations.benchmark_id_1 else correlations.benchmark_id_2
        end as on_what,
        methods.method,
        correlations.pearson as estimate,
        case methods.method
            when 'lineages' then correlations.pearson_lineage_ci_low
            else correlations.pearson_ci_low
        end as ci_low,
        case methods.method
            when 'lineages' then correlations.pearson_lineage_ci_high
            else correlations.pearson_ci_high
        end as ci_high,
        correlations.lineage_count,
        null as effective_lineage_count
    from correlations
    inner join methods on methods.evidence = 'correlation'
    cross join (values (true), (false)) as turns (is_turned)

    union all

    -- The intervals of a component that is not stable are null.
    select
        'loading' as evidence,
        components.panel_id,
        'benchmark' as target_kind,
        components.benchmark_id as target,
        'component_' || components.component_index as on_what,
        'lineages' as method,
        components.estimate,
        case when stability.is_stable then components.ci_low end as ci_low,
        case when stability.is_stable then components.ci_high end as ci_high,
        null as lineage_count,
        null as effective_lineage_count
    from components
    left join stability
        on
            components.panel_id = stability.panel_id
            and components.component_index = stability.component_index
    where components.quantity = 'loading'

    union all

    select
        'paired' as evidence,
        panels.panel_id,
        paired_effects.target_kind,
        paired_effects.target,
        paired_effects.estimand as on_what,
        'pairs' as method,
        paired_effects.estimate,
        paired_effects.ci_low,
        paired_effects.ci_high,
        paired_effects.lineage_count,
        null as effective_lineage_count
    from paired_effects
    inner join panels on panels.is_reference
),

final as (
    select
        asked.*,
        estimates.estimate,
        estimates.ci_low,
        estimates.ci_high,
        estimates.lineage_count,
        estimates.effective_lineage_count
    from asked
    left join estimates
        on
            asked.evidence = estimates.evidence
            and asked.panel_id = estimates.panel_id
            and asked.target_kind = estimates.target_kind
            and asked.target = estimates.target
            and asked.on_what = estimates.on_what
            and asked.method = estimates.method
)

select * from final
