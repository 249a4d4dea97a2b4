-- Without missing cells the components are those of the correlation matrix, so the products of
-- the loadings add up to it.
with

reproduced as (
    select
        first_loading.panel_id,
        first_loading.benchmark_id as benchmark_id_1,
        second_loading.benchmark_id as benchmark_id_2,
        sum(first_loading.loading * second_loading.loading) as pearson
    from {{ ref('fct_component_loadings') }} as first_loading
    inner join {{ ref('fct_component_loadings') }} as second_loading
        on
            first_loading.panel_id = second_loading.panel_id
            and first_loading.component_index = second_loading.component_index
    group by all
    -- A panel whose scores do not determine its components has no loading at all.
    having count(first_loading.loading) > 0
)

select
    reproduced.*,
    correlations.pearson as stored_pearson
from reproduced
inner join {{ ref('dim_panels') }} as panels on reproduced.panel_id = panels.panel_id
left join {{ ref('fct_benchmark_correlations') }} as correlations
    on
        reproduced.panel_id = correlations.panel_id
        and reproduced.benchmark_id_1 = correlations.benchmark_id_1
        and reproduced.benchmark_id_2 = correlations.benchmark_id_2
where
    panels.missing_cell_count = 0
    and coalesce(abs(reproduced.pearson - correlations.pearson) > 1e-9, true)
