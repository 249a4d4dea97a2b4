with

votes as (
    select * from {{ ref('int_claim_votes') }}
),

parts as (
    select
        claim_id,
        panel_id,
        left_out_kind,
        left_out_id,
        part_index,
        bool_and(vote = 'for') filter (where is_required) as is_supported,
        bool_and(vote = 'against') filter (where is_primary)
        and not bool_or(vote = 'for') filter (where is_required) as is_refuted,
        string_agg(
            method || ' is ' || vote || coalesce(' (' || hindrance || ')', ''),
            ', '
            order by is_primary desc, method asc
        ) filter (where is_required and vote != 'for') as doubts
    from votes
    group by claim_id, panel_id, left_out_kind, left_out_id, part_index
),

final as (
    select
        claim_id,
        panel_id,
        left_out_kind,
        left_out_id,
        count(*) as part_count,
        case
            when bool_or(is_refuted) then 'not supported'
            when bool_and(is_supported) then 'supported'
            else 'cannot be told'
        end as verdict,
        string_agg('part ' || part_index || ': ' || doubts, '; ' order by part_index asc)
        filter (where doubts is not null) as doubts
    from parts
    group by claim_id, panel_id, left_out_kind, left_out_id
)

select * from final
