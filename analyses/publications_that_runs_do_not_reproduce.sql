-- Which published scores do runs here not reproduce, by how many standard errors, and why? Both are
-- of the same items, so even a difference inside the interval means that something was done
-- otherwise; one outside of it cannot be the items at all.
with

reproduction as (
    select * from {{ ref('fct_reproduction') }}
),

models as (
    select * from {{ ref('dim_models') }}
),

final as (
    select
        models.model_name,
        reproduction.benchmark_id,
        round(reproduction.published_score, 4) as published_score,
        round(reproduction.measured_score, 4) as measured_score,
        round(reproduction.difference / reproduction.standard_error, 1) as standard_errors,
        coalesce(reproduction.reason, 'inside the interval') as reason,
        reproduction.is_preferred_source,
        reproduction.source_ref,
        reproduction.run_id,
        reproduction.model_id
    from reproduction
    inner join models on reproduction.model_id = models.model_id
)

select * from final
order by abs(standard_errors) desc nulls last, model_id asc, benchmark_id asc, source_ref asc
