with

scaling_fits as (
    select * from {{ ref('int_scaling_fits') }}
),

-- The declared families of tests of a panel, language and method: the leading components with the
-- benchmarks, once of the panel's own components and once of the anchored ones. Components after
-- them, which nobody asks about, would cost the others power. A benchmark's q-value is that of the
-- family of own components, which is the larger question of one panel alone.
family_members as (
    select
        *,
        unnest(
            case target_kind
                when 'benchmark' then ['component', 'anchored']
                else [target_kind]
            end
        ) as family,
        case
            when
                target_kind = 'benchmark'
                or split_part(target, '_', 2)::integer <= {{ var('anchored_component_count') }}
                then p_value
        end as family_p_value
    from scaling_fits
),

numbered as (
    select
        *,
        count(family_p_value) over (
            partition by family, panel_id, budget_language, method
        ) as p_count,
        row_number() over (
            partition by family, panel_id, budget_language, method
            order by family_p_value asc nulls last, target_kind asc, target asc
        ) as p_rank
    from family_members
),

adjusted as (
    select
        *,
        case
            when family_p_value is not null
                then
                    {{ benjamini_hochberg_q(
                        'family_p_value',
                        'p_rank',
                        'p_count',
                        'family, panel_id, budget_language, method'
                    ) }}
        end as q_value
    from numbered
),

final as (
    select
        panel_id::varchar as panel_id,
        target_kind::varchar as target_kind,
        target::varchar as target,
        budget_language::varchar as budget_language,
        method::varchar as method,
        model_count::integer as model_count,
        lineage_count::integer as lineage_count,
        slope::double as slope,
        slope_standard_error::double as slope_standard_error,
        slope_ci_low::double as slope_ci_low,
        slope_ci_high::double as slope_ci_high,
        intercept::double as intercept,
        pearson::double as pearson,
        r_squared::double as r_squared,
        p_value::double as p_value,
        q_value::double as q_value,
        residual_standard_deviation::double as residual_standard_deviation,
        log10_train_flop_min::double as log10_train_flop_min,
        log10_train_flop_max::double as log10_train_flop_max,
        log10_train_flop_mean::double as log10_train_flop_mean,
        degrees_of_freedom::double as degrees_of_freedom,
        effective_lineage_count::double as effective_lineage_count,
        largest_lineage_leverage::double as largest_lineage_leverage,
        intra_lineage_correlation::double as intra_lineage_correlation,
        is_floored::boolean as is_floored
    from adjusted
    where family = case target_kind when 'anchored' then 'anchored' else 'component' end
)

select * from final
