-- An answer is to a request that there is. A generation has one completion; log-likelihoods are as
-- many as continuations were weighed. Neither is there without its answer.
with

contents as (
    select
        request_id,
        count(*) filter (where is_completion) as completion_count,
        count(*) filter (where not is_completion) as log_likelihood_count
    from (
        select
            request_id,
            true as is_completion
        from {{ ref('stg_generations') }}
        union all
        select
            request_id,
            false as is_completion
        from {{ ref('stg_log_likelihoods') }}
    ) as rows_of_contents
    group by request_id
),

answered as (
    select
        answers.request_id,
        requests.model_id,
        requests.kind,
        len(requests.continuations) as continuation_count
    from {{ ref('stg_answers') }} as answers
    left join {{ ref('stg_requests') }} as requests
        on answers.request_id = requests.request_id
)

select
    coalesce(answered.request_id, contents.request_id) as request_id,
    answered.model_id,
    answered.kind,
    answered.continuation_count,
    contents.completion_count,
    contents.log_likelihood_count
from answered
full join contents
    on answered.request_id = contents.request_id
where
    answered.kind is null
    or contents.request_id is null
    or contents.completion_count != if(answered.kind = 'generation', 1, 0)
    or contents.log_likelihood_count != answered.continuation_count
