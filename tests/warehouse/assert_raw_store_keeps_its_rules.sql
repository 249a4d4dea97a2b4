-- What models were asked and answered came over a network and from files of others. The rules of
-- all its tables stand in one test, which is one query.
select
    'stg_run_sessions' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_run_sessions'),
    key=['session_id'],
    accepted_values={'item_set': ['real', 'demo', 'imported']}
) }}
) as broken

union all

select
    'stg_run_session_ends' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_run_session_ends'),
    key=['session_id'],
    references={'session_id': {'to': ref('stg_run_sessions')}}
) }}
) as broken

union all

select
    'stg_run_files' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_run_files'),
    key=['run_id', 'benchmark_id', 'role', 'file_name', 'sha256']
) }}
) as broken

union all

select
    'stg_items' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_items'),
    key=['item_hash'],
    accepted_values={'item_set': ['real', 'demo', 'imported']}
) }}
) as broken

union all

select
    'stg_prompts' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_prompts'),
    key=['prompt_id']
) }}
) as broken

union all

select
    'stg_requests' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_requests'),
    key=['request_id'],
    accepted_values={'kind': ['generation', 'log_likelihood']},
    references={'prompt_id': {'to': ref('stg_prompts')}}
) }}
) as broken

union all

select
    'stg_run_requests' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_run_requests'),
    key=[
        'run_id', 'protocol_version', 'item_hash', 'sample_index', 'variant_index', 'purpose',
        'request_id'
    ],
    references={'item_hash': {'to': ref('stg_items')}, 'request_id': {'to': ref('stg_requests')}}
) }}
) as broken

union all

select
    'stg_answers' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_answers'),
    key=['request_id'],
    at_least={
        'input_token_count': 0,
        'output_token_count': 0,
        'cached_token_count': 0,
        'attempt_count': 1,
        'latency_seconds': 0
    },
    references={'session_id': {'to': ref('stg_run_sessions')}}
) }}
) as broken

union all

select
    'stg_log_likelihoods' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_log_likelihoods'),
    key=['request_id', 'continuation_index'],
    log_likelihoods=['log_likelihood'],
    at_least={'token_count': 1}
) }}
) as broken

union all

select
    'stg_failures' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_failures'),
    key=['request_id', 'session_id'],
    references={
        'request_id': {'to': ref('stg_requests')},
        'session_id': {'to': ref('stg_run_sessions')}
    }
) }}
) as broken

union all

select
    'stg_translation_statistics' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_translation_statistics'),
    key=['request_id', 'item_hash', 'measure_id', 'measure_version'],
    rounded_proportions=['sentence_bleu'],
    references={'request_id': {'to': ref('stg_generations')}}
) }}
) as broken

union all

select
    'stg_program_outcomes' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_program_outcomes'),
    key=['request_id', 'item_hash', 'measure_id', 'measure_version'],
    accepted_values={
        'outcome': ['passed',
        'failed',
        'timed_out',
        'killed_memory',
        'sandbox_error']
    },
    references={'request_id': {'to': ref('stg_generations')}}
) }}
) as broken

union all

select
    'stg_logged_scores' as table_name,
    broken.*
from (
{{ broken_rules(
    ref('stg_logged_scores'),
    key=['request_id', 'item_hash', 'metric'],
    references={'request_id': {'to': ref('stg_requests')}}
) }}
) as broken
