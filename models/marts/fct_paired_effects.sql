with

effects as (
    select * from {{ ref('int_paired_effects') }}
),

final as (
    select
        estimand::varchar as estimand,
        target_kind::varchar as target_kind,
        target::varchar as target,
        pair_count::integer as pair_count,
        unit_count::integer as unit_count,
        lineage_count::integer as lineage_count,
        developer_count::integer as developer_count,
        estimate::double as estimate,
        standard_error::double as standard_error,
        ci_low::double as ci_low,
        ci_high::double as ci_high,
        p_value::double as p_value,
        degrees_of_freedom::integer as degrees_of_freedom,
        lineage_standard_error::double as lineage_standard_error,
        developer_standard_error::double as developer_standard_error,
        unit_standard_error::double as unit_standard_error,
        case
            when ci_low > 0 then 'positive'
            when ci_high < 0 then 'negative'
            -- Also where there is no interval.
            else 'cannot_be_told'
        end as answer
    from effects
)

select * from final
