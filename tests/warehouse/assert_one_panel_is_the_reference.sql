select count(*) filter (where is_reference) as reference_count
from {{ ref('dim_panels') }}
having count(*) filter (where is_reference) != 1
