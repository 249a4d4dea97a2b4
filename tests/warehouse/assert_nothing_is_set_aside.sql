{{ config(meta={'reports': true}) }}

-- Names what is wrong with measured data, at the end of the build that went on without it.
select
    run_id,
    benchmark_id,
    protocol_version,
    set_aside.table_name as table_name,
    set_aside.rule as rule,
    row_count,
    row_key,
    found
from {{ ref('fct_set_aside') }} as set_aside
