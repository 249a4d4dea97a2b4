with

votes as (
    select * from {{ ref('int_claim_votes') }}
),

final as (
    select
        claim_id::varchar as claim_id,
        panel_id::varchar as panel_id,
        part_index::integer as part_index,
        method::varchar as method,
        evidence::varchar as evidence,
        target_kind::varchar as target_kind,
        target::varchar as target,
        on_what::varchar as on_what,
        estimate::double as estimate,
        ci_low::double as ci_low,
        ci_high::double as ci_high,
        region_low::double as region_low,
        region_high::double as region_high,
        lineage_count::integer as lineage_count,
        effective_lineage_count::double as effective_lineage_count,
        is_required::boolean as is_required,
        is_primary::boolean as is_primary,
        vote::varchar as vote
    from votes
    where left_out_kind = 'nothing'
)

select * from final
