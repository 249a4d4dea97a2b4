{{ config(meta={'reports': true}) }}

-- Names what is wrong with measured data, at the end of the build that went on without it.
select
    run_id,
    benchmark_id,
    protocol_version,
    table_name,
    rule,
    row_count,
    row_key,
    found
from {{ ref('fct_set_aside') }}
