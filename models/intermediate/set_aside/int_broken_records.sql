{%- set request = {'request_id': 'request_id'} -%}
{%- set request_of_item = {'request_id': 'request_id', 'item_hash': 'item_hash'} -%}
{%- set version = {
    'run_id': 'run_id',
    'benchmark_id': 'benchmark_id',
    'protocol_version': 'protocol_version'
} -%}
{#- What is asked for another benchmark is missed by its own. -#}
{%- set version_of_both = {
    'run_id': 'run_id',
    'benchmark_id': 'unnest([benchmark_id, benchmark_of_item])',
    'protocol_version': 'protocol_version'
} -%}
{%- set run_request_key = record_rules()['run_requests']['key'] -%}
{#- An empty version of a file counts for all. -#}
{%- set version_of_file = {
    'run_id': 'run_id',
    'benchmark_id': 'benchmark_id',
    'protocol_version': "nullif(protocol_version, '')"
} -%}
with

-- What a single row of a table, its key or its references say.
of_rows as (
    {{ broken_records('run_sessions', {'run_id': 'run_id'}) }}
    union all
    {{ broken_records(
        'run_session_ends',
        {'session_id': 'session_id'},
        {'session_id': ['stg_run_sessions', 'session_id']}
    ) }}
    union all
    {{ broken_records(
        'run_files', version_of_file, {'run_id': ['stg_run_sessions', 'run_id']}
    ) }}
    union all
    {{ broken_records('items', {'item_hash': 'item_hash'}) }}
    union all
    {{ broken_records('prompts', {'prompt_id': 'prompt_id'}) }}
    union all
    {{ broken_records('requests', request, {'prompt_id': ['stg_prompts', 'prompt_id']}) }}
    union all
    {{ broken_records(
        'run_requests',
        version,
        {
            'run_id': ['stg_run_sessions', 'run_id'],
            'scorer': ['stg_scorers', 'scorer_id'],
            'item_hash': ['stg_items', 'item_hash'],
            'request_id': ['stg_requests', 'request_id']
        }
    ) }}
    union all
    {{ broken_records(
        'answers', request, {'session_id': ['stg_run_sessions', 'session_id']}
    ) }}
    union all
    {{ broken_records('generations', request) }}
    union all
    {{ broken_records('log_likelihoods', request) }}
    union all
    {{ broken_records(
        'failures',
        request,
        {
            'request_id': ['stg_requests', 'request_id'],
            'session_id': ['stg_run_sessions', 'session_id']
        }
    ) }}
    union all
    {{ broken_records(
        'translation_statistics',
        request_of_item,
        {
            'request_id': ['stg_generations', 'request_id'],
            'item_hash': ['stg_items', 'item_hash']
        }
    ) }}
    union all
    {{ broken_records(
        'program_outcomes',
        request_of_item,
        {
            'request_id': ['stg_generations', 'request_id'],
            'item_hash': ['stg_items', 'item_hash']
        }
    ) }}
    union all
    {{ broken_records(
        'logged_scores',
        request_of_item,
        {
            'request_id': ['stg_requests', 'request_id'],
            'item_hash': ['stg_items', 'item_hash']
        }
    ) }}
),

contents as (
    select
        request_id,
        count(*) filter (where is_completion) as completion_count,
        count(*) filter (where not is_completion) as log_likelihood_count,
        max(continuation_index) as last_index
    from (
        select
            request_id,
            true as is_completion,
            null as continuation_index
        from {{ ref('stg_generations') }}
        union all
        select
            request_id,
            false as is_completion,
            continuation_index
        from {{ ref('stg_log_likelihoods') }}
    ) as rows_of_contents
    group by request_id
),

answered as (
    select
        answers.request_id,
        requests.kind,
        requests.model_id,
        requests.model_revision,
        requests.tokenizer_id,
        answers.session_id,
        len(requests.continuations) as continuation_count
    from {{ ref('stg_answers') }} as answers
    left join {{ ref('stg_requests') }} as requests
        on answers.request_id = requests.request_id
),

-- Neither is there without its answer, nor an answer without its request.
answers_with_contents as (
    select
        coalesce(answered.request_id, contents.request_id) as request_id,
        concat_ws(
            ', ',
            case
                when answered.request_id is null then 'no answer'
                when answered.kind is null then 'no request'
                else answered.kind
            end,
            'continuations: ' || answered.continuation_count,
            'completions: ' || coalesce(contents.completion_count, 0),
            'log-likelihoods: ' || coalesce(contents.log_likelihood_count, 0),
            'last: ' || contents.last_index
        ) as found
    from answered
    full join contents
        on answered.request_id = contents.request_id
    where
        answered.kind is null
        or contents.request_id is null
        or contents.completion_count != if(answered.kind = 'generation', 1, 0)
        or contents.log_likelihood_count != answered.continuation_count
        or contents.last_index != answered.continuation_count - 1
),

-- Of answers without a request or a session is said that.
answers_of_others as (
    select
        answered.request_id,
        concat_ws(
            ', ', sessions.model_id, sessions.model_revision, sessions.tokenizer_id
        ) as model_of_session
    from answered
    inner join {{ ref('stg_run_sessions') }} as sessions
        on answered.session_id = sessions.session_id
    where
        answered.model_id != sessions.model_id
        or answered.model_revision != sessions.model_revision
        or answered.tokenizer_id != sessions.tokenizer_id
),

-- All versions of a protocol together: a session does not say under which it asked.
planned as (
    select
        run_id,
        benchmark_id,
        count(distinct request_id) as request_count
    from {{ ref('stg_run_requests') }}
    group by run_id, benchmark_id
),

planned_of_sessions as (
    select
        session_ends.session_id,
        session_ends.request_count as needed_count,
        coalesce(sum(planned.request_count), 0) as planned_count
    from {{ ref('stg_run_session_ends') }} as session_ends
    inner join {{ ref('stg_run_sessions') }} as run_sessions
        on session_ends.session_id = run_sessions.session_id
    left join planned
        on
            run_sessions.run_id = planned.run_id
            and list_contains(run_sessions.benchmark_ids, planned.benchmark_id)
    -- Of a session that was put together again, not all benchmarks are known.
    where not contains(run_sessions.configuration::varchar, '"restored_from"')
    group by session_ends.session_id, session_ends.request_count
),

-- One request asks for a sample, so that it is one row of scores.
samples as (
    {{ repeated_records(
        'run_requests',
        ref('stg_run_requests'),
        ['run_id', 'protocol_version', 'item_hash', 'sample_index'],
        'request_id: one request asks for a sample',
        ['run_id', 'protocol_version', 'item_hash', 'sample_index', 'request_id'],
        version,
        "purpose = 'answer' and variant_index = 0"
    ) }}
),

-- What no score can be made of belongs to requests that are there, and to others that are not.
without_variant_0 as (
    select *
    from {{ ref('stg_run_requests') }} as run_requests
    where
        (purpose != 'answer' or variant_index != 0)
        and not {{ is_asked('run_requests', 'run_requests.sample_index', '0') }}
),

after_a_gap as (
    select *
    from {{ ref('stg_run_requests') }} as run_requests
    where
        purpose = 'answer'
        and variant_index = 0
        and sample_index > 0
        and not {{ is_asked('run_requests', 'run_requests.sample_index - 1', '0') }}
),

run_models as (
    select
        run_id,
        any_value(model_id) as model_id,
        any_value(model_revision) as model_revision,
        any_value(tokenizer_id) as tokenizer_id,
        any_value(item_set) as item_set,
        any_value(protocol) as protocol
    from {{ ref('stg_run_sessions') }}
    group by run_id
),

-- Of millions, those which are not all that their score is made of: few, but for choices between
-- contexts.
alone as (
    select
        run_requests.*,
        requests.kind,
        items.benchmark_id as benchmark_of_item,
        items.gold_index,
        len(items.golds) as gold_count,
        items.item_set as item_set_of_item,
        run_models.item_set as item_set_of_run,
        benchmarks.scorer_id as scorer_of_benchmark,
        scorers.scorer_kind,
        case
            when scorers.scorer_kind = 'logged' then requests.kind
            when scorers.scorer_kind = 'choice' then 'log_likelihood'
            else 'generation'
        end as kind_to_score,
        run_requests.variant_index + len(requests.continuations) as weighed_count,
        len(items.choices) as choice_count,
        concat_ws(
            ', ', requests.model_id, requests.model_revision, requests.tokenizer_id
        ) as model_of_request,
        concat_ws(
            ', ', run_models.model_id, run_models.model_revision, run_models.tokenizer_id
        ) as model_of_run
    from {{ ref('stg_run_requests') }} as run_requests
    inner join {{ ref('stg_requests') }} as requests
        on run_requests.request_id = requests.request_id
    inner join {{ ref('stg_items') }} as items on run_requests.item_hash = items.item_hash
    inner join {{ ref('stg_scorers') }} as scorers on run_requests.scorer = scorers.scorer_id
    inner join run_models on run_requests.run_id = run_models.run_id
    -- The register has the scorer of what is asked now, none of other protocols and versions.
    left join {{ ref('stg_benchmarks') }} as benchmarks
        on
            run_requests.benchmark_id = benchmarks.benchmark_id
            and run_requests.protocol_version = benchmarks.protocol_version
            and run_models.protocol = 'reference'
            and run_models.item_set != 'imported'
    where
        items.item_set != run_models.item_set
        or run_requests.scorer != benchmarks.scorer_id
        or (
            -- What these compare an answer with; others read the target, or know no answer.
            run_requests.scorer in ('any_alias', 'last_number')
            and len(items.golds) = 0
            and run_models.item_set != 'imported'
        )
        or items.benchmark_id != run_requests.benchmark_id
        or requests.model_id != run_models.model_id
        or requests.model_revision != run_models.model_revision
        or requests.tokenizer_id != run_models.tokenizer_id
        or (
            run_requests.purpose = 'answer'
            and case scorers.scorer_kind
                when 'logged' then false
                when 'choice'
                    then
                        requests.kind != 'log_likelihood'
                        or items.gold_index is null
                        or run_requests.variant_index + len(requests.continuations)
                        != len(items.choices)
                else requests.kind != 'generation'
            end
        )
),

alone_for_choices as (
    select *
    from alone
    where purpose = 'answer' and scorer_kind = 'choice' and kind = 'log_likelihood'
),

main_metrics as (
    {{ repeated_records(
        'logged_scores',
        ref('stg_logged_scores'),
        ['request_id', 'item_hash'],
        'is_main: one metric is the main one',
        ['request_id', 'item_hash', 'metric'],
        request_of_item,
        'is_main'
    ) }}
),

-- The names of int_run_pieces: two versions of a protocol, or two scorers, would share theirs.
pieces as (
    select distinct
        run_requests.run_id,
        run_requests.benchmark_id,
        run_requests.protocol_version,
        run_requests.scorer,
        {{ run_benchmark_id('run_requests') }} as run_benchmark_id
    from {{ ref('stg_run_requests') }} as run_requests
),

named_alike as (
    select
        *,
        count(*) over (partition by run_benchmark_id) as same_count
    from pieces
),

described as (
    select
        run_id,
        concat_ws(
            ', ', item_set, protocol, model_id, model_revision, tokenizer_id
        ) as description
    from {{ ref('stg_run_sessions') }}
),

runs as (
    select
        run_id,
        min(description) as one,
        max(description) as other
    from described
    group by run_id
),

final as (
    select * from of_rows
    union all
    select
        {{ broken_record(
            'answers',
            "'request_id: an answer has the completion, or log-likelihoods, of its request'",
            ['request_id'],
            'found',
            request
        ) }}
    from answers_with_contents
    union all
    select * from samples
    union all
    select
        {{ broken_record(
            'run_requests',
            "'variant_index: variant 0 of its sample is asked for the answer'",
            run_request_key,
            "concat_ws(', ', purpose, variant_index)",
            version
        ) }}
    from without_variant_0
    union all
    select
        {{ broken_record(
            'run_requests',
            "'sample_index: the sample before it is asked, too'",
            run_request_key,
            'sample_index',
            version
        ) }}
    from after_a_gap
    union all
    select
        {{ broken_record(
            'run_requests',
            "'scorer: it scores what the request asks for'",
            ['run_id', 'benchmark_id', 'protocol_version', 'item_hash', 'request_id'],
            "scorer || ' of a ' || kind",
            version
        ) }}
    from alone
    where purpose = 'answer' and kind != kind_to_score
    union all
    select
        {{ broken_record(
            'run_requests',
            "'scorer: it is that of the benchmark in this version'",
            ['run_id', 'benchmark_id', 'protocol_version', 'item_hash', 'request_id'],
            "scorer || ', not ' || scorer_of_benchmark",
            version
        ) }}
    from alone
    where scorer != scorer_of_benchmark
    union all
    select
        {{ broken_record(
            'items',
            "'golds: where an answer is compared with them, there is one'",
            ['item_hash'],
            "scorer || ' of none'",
            version
        ) }}
    from alone
    where
        gold_count = 0
        and item_set_of_run != 'imported'
        and scorer in ('any_alias', 'last_number')
    union all
    select
        {{ broken_record(
            'run_sessions',
            "'item_set: the items of a run are of its set'",
            ['run_id'],
            "item_set_of_item || ' in a run of ' || item_set_of_run",
            version
        ) }}
    from alone
    where item_set_of_item != item_set_of_run
    union all
    select
        {{ broken_record(
            'answers',
            "'session_id: a request is answered by the model that it asks'",
            ['request_id'],
            'model_of_session',
            request
        ) }}
    from answers_of_others
    union all
    select
        {{ broken_record(
            'run_session_ends',
            "'request_count: the run has as many requests as the session needed'",
            ['session_id'],
            "planned_count || ' of ' || needed_count",
            {'session_id': 'session_id'}
        ) }}
    from planned_of_sessions
    where planned_count < needed_count
    union all
    select
        {{ broken_record(
            'requests',
            "'continuations: with those of other variants, each choice of the item is weighed once'",
            ['request_id'],
            "weighed_count || ' of ' || choice_count || ' choices up to variant ' || variant_index",
            version
        ) }}
    from alone_for_choices
    where
        weighed_count > choice_count
        or (
            weighed_count < choice_count
            and not {{ is_asked(
                'alone_for_choices',
                'alone_for_choices.sample_index',
                'alone_for_choices.weighed_count'
            ) }}
        )
    union all
    select
        {{ broken_record(
            'items',
            "'gold_index: where a choice is scored, one is the right one'",
            ['item_hash'],
            'gold_index',
            version
        ) }}
    from alone_for_choices
    where gold_index is null
    union all
    select
        {{ broken_record(
            'items',
            "'benchmark_id: it is asked for its own benchmark'",
            ['item_hash'],
            'benchmark_of_item',
            version_of_both
        ) }}
    from alone
    where benchmark_of_item != benchmark_id
    union all
    select
        {{ broken_record(
            'requests',
            "'model_id: it asks the model of the run, of its revision and tokenizer'",
            ['request_id'],
            "model_of_request || ' in a run of ' || model_of_run",
            version
        ) }}
    from alone
    where model_of_request != model_of_run
    union all
    select * from main_metrics
    union all
    select
        {{ broken_record(
            'run_requests',
            "'scorer: a benchmark of a run has one, and a name of its own'",
            ['run_id', 'benchmark_id', 'protocol_version'],
            'scorer',
            version
        ) }}
    from named_alike
    where same_count > 1
    union all
    select
        {{ broken_record(
            'run_sessions',
            "'model_id: all sessions of a run have one, one item_set and one protocol'",
            ['run_id'],
            "one || ' and ' || other",
            {'run_id': 'run_id'}
        ) }}
    from runs
    where one != other
)

select * from final
