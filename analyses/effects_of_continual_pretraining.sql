-- What did further pre-training on the local language change on the whole, what did it cost on the
-- pivot language, and does more of it change more? Means over models paired with what they started
-- from, those of one developer and lineage as one, in standard deviations of the reference panel;
-- per benchmark (in score) they are in fct_paired_effects.
-- `dbt show` prints six columns; they hold the answer, the rest is there for `--output json`.
with

effects as (
    select * from {{ ref('fct_paired_effects') }}
),

final as (
    select
        estimand,
        target,
        {{ interval_text('estimate', 'ci_low', 'ci_high') }} as effect,
        answer,
        pair_count,
        lineage_count || ' x ' || developer_count as lineages_by_developers,
        unit_count,
        standard_error,
        p_value
    from effects
    where target_kind != 'benchmark'
)

select * from final
order by
    case estimand
        when 'gain' then 1
        when 'difference_in_differences' then 2
        when 'forgetting' then 3
        when 'dose_response' then 4
        else 5
    end,
    target asc
