with

stability as (
    select * from {{ ref('int_component_stability') }}
),

panels as (
    select * from {{ ref('int_panels') }}
),

final as (
    select
        stability.panel_id::varchar as panel_id,
        stability.component_index::integer as component_index,
        panels.lineage_count,
        stability.eigenvalue::double as eigenvalue,
        stability.median_congruence::double as median_congruence,
        stability.smallest_congruence::double as smallest_congruence,
        stability.most_influential_lineage_id::varchar as most_influential_lineage_id,
        stability.is_stable,
        stability.parallel_threshold::double as parallel_threshold,
        stability.sequential_threshold::double as sequential_threshold,
        stability.average_partial::double as average_partial,
        stability.ratio_standard_error::double as ratio_standard_error,
        stability.ratio_ci_low::double as ratio_ci_low,
        stability.ratio_ci_high::double as ratio_ci_high
    from stability
    inner join panels on stability.panel_id = panels.panel_id
)

select * from final
