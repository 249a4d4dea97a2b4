with

gains as (
    select * from {{ ref('int_paired_gains') }}
    where is_local_continuation and is_preferred and is_comparable and not is_suspect
),

panels as (
    select * from {{ ref('stg_panels') }}
    where is_reference
),

panel_scores as (
    select * from {{ ref('int_panel_scores') }}
),

components as (
    select * from {{ ref('int_principal_components') }}
),

benchmarks as (
    select * from {{ ref('stg_benchmarks') }}
),

reference_benchmarks as (
    select
        panel_scores.benchmark_id,
        benchmarks.language,
        stddev_pop(panel_scores.score) as standard_deviation
    from panel_scores
    inner join panels on panel_scores.panel_id = panels.panel_id
    inner join benchmarks on panel_scores.benchmark_id = benchmarks.benchmark_id
    group by panel_scores.benchmark_id, benchmarks.language
),

-- What standardised scores are multiplied by for an anchored ability: v / sqrt(lambda).
weights as (
    select
        loadings.component_index,
        loadings.benchmark_id,
        loadings.eigenvector / sqrt(variances.estimate) as weight
    from components as loadings
    inner join panels on loadings.panel_id = panels.panel_id
    inner join components as variances
        on
            loadings.panel_id = variances.panel_id
            and loadings.component_index = variances.component_index
            and variances.quantity = 'variance'
    where
        loadings.quantity = 'loading'
        and loadings.component_index <= {{ var('anchored_component_count') }}
        and variances.estimate > 1e-12
),

standardised as (
    select
        gains.*,
        gains.gain / reference_benchmarks.standard_deviation as standardised_gain
    from gains
    inner join reference_benchmarks on gains.benchmark_id = reference_benchmarks.benchmark_id
    where reference_benchmarks.standard_deviation > 0
),

benchmark_gains as (
    select
        model_id,
        'benchmark' as target_kind,
        benchmark_id as target,
        language_role,
        gain as value
    from gains
),

-- A sum over benchmarks is made of all of them or not at all.
anchored_gains as (
    select
        standardised.model_id,
        'anchored' as target_kind,
        'anchored_' || weights.component_index as target,
        'both' as language_role,
        sum(standardised.standardised_gain * weights.weight) as value
    from standardised
    inner join weights on standardised.benchmark_id = weights.benchmark_id
    group by standardised.model_id, weights.component_index
    having count(*) = (select count(*) from reference_benchmarks)
),

language_gains as (
    select
        standardised.model_id,
        'language' as target_kind,
        standardised.language as target,
        standardised.language_role,
        avg(standardised.standardised_gain) as value
    from standardised
    group by standardised.model_id, standardised.language, standardised.language_role
    having
        count(*) = (
            select count(*) from reference_benchmarks
            where reference_benchmarks.language = standardised.language
        )
),

all_gains as (
    select * from benchmark_gains
    union all
    select * from anchored_gains
    union all
    select * from language_gains
),

differences as (
    select
        local_gains.model_id,
        'benchmark' as target_kind,
        local_gains.benchmark_id as target,
        local_gains.gain - pivot_gains.gain as value
    from gains as local_gains
    inner join gains as pivot_gains
        on
            local_gains.model_id = pivot_gains.model_id
            and local_gains.counterpart_benchmark_id = pivot_gains.benchmark_id
    where local_gains.language_role = 'local' and pivot_gains.language_role = 'pivot'

    union all

    select
        local_gains.model_id,
        'language' as target_kind,
        local_gains.target,
        local_gains.value - pivot_gains.value as value
    from language_gains as local_gains
    inner join language_gains as pivot_gains on local_gains.model_id = pivot_gains.model_id
    where local_gains.language_role = 'local' and pivot_gains.language_role = 'pivot'
),

children as (
    select distinct
        model_id,
        lineage_id,
        developer,
        added_local_token_count,
        added_total_token_count
    from gains
),

estimands as (
    select
        'gain' as estimand,
        model_id,
        target_kind,
        target,
        value,
        null::double as dose
    from all_gains

    union all

    select
        'difference_in_differences' as estimand,
        model_id,
        target_kind,
        target,
        value,
        null::double as dose
    from differences

    union all

    select
        'forgetting' as estimand,
        model_id,
        target_kind,
        target,
        -value as value,
        null::double as dose
    from all_gains
    where language_role = 'pivot'

    union all

    select
        'dose_response' as estimand,
        all_gains.model_id,
        all_gains.target_kind,
        all_gains.target,
        all_gains.value,
        log10(children.added_local_token_count) as dose
    from all_gains
    inner join children on all_gains.model_id = children.model_id
    where children.added_local_token_count > 0

    union all

    select
        'total_dose_response' as estimand,
        all_gains.model_id,
        all_gains.target_kind,
        all_gains.target,
        all_gains.value,
        log10(children.added_total_token_count) as dose
    from all_gains
    inner join children on all_gains.model_id = children.model_id
    where children.added_total_token_count > 0
),

final as (
    select
        estimands.estimand,
        estimands.target_kind,
        estimands.target,
        estimands.model_id,
        children.lineage_id,
        children.developer,
        estimands.value,
        estimands.dose
    from estimands
    inner join children on estimands.model_id = children.model_id
)

select * from final
