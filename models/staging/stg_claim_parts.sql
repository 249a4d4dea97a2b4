with

source as (
    select * from {{ ref('claim_parts') }}
),

final as (
    select
        claim_id,
        part_index,
        evidence,
        target_kind,
        target,
        on_what,
        region_low,
        region_high,
        needs_gain
    from source
)

select * from final
