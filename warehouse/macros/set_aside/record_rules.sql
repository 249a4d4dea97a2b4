{% macro record_rules() -%}
{#- Keys of the raw store's tables and rules of their rows, as warehouse/records.py
    declares them: `make records` writes them anew. That a column is not null is not one
    of them: the tables themselves refuse it. -#}
    {{ return({
        'run_sessions': {
            'key': ['session_id'],
            'rules': [
                ('item_set', "item_set is null or item_set in ('real', 'demo', 'imported')", "it is one of 'real', 'demo', 'imported'"),
                ('benchmark_ids', 'benchmark_ids is null or list_count(benchmark_ids) = len(benchmark_ids)', 'none of its elements is null'),
                ('endpoints', 'endpoints is null or list_count(endpoints) = len(endpoints)', 'none of its elements is null'),
                ('server_arguments', 'server_arguments is null or json_valid(server_arguments)', 'it is JSON'),
                ('gpu_names', 'gpu_names is null or list_count(gpu_names) = len(gpu_names)', 'none of its elements is null'),
                ('configuration', 'configuration is null or json_valid(configuration)', 'it is JSON'),
                ('configuration', "configuration is null or case when json_valid(configuration) then json_type(configuration) = 'OBJECT' end", 'it is a JSON object'),
                ('started_at', "started_at is null or started_at between '1970-01-01 00:00:00+00'::timestamptz and '2100-01-01 00:00:00+00'::timestamptz", 'it is a time from 1970-01-01 to 2100-01-01'),
            ],
        },
        'run_session_ends': {
            'key': ['session_id'],
            'rules': [
                ('request_count', "request_count is null or request_count::double <= 'infinity'::double and request_count >= 0", 'it is a number, at least 0'),
                ('answered_count', "answered_count is null or answered_count::double <= 'infinity'::double and answered_count >= 0", 'it is a number, at least 0'),
                ('failed_count', "failed_count is null or failed_count::double <= 'infinity'::double and failed_count >= 0", 'it is a number, at least 0'),
                ('finished_at', "finished_at is null or finished_at between '1970-01-01 00:00:00+00'::timestamptz and '2100-01-01 00:00:00+00'::timestamptz", 'it is a time from 1970-01-01 to 2100-01-01'),
                ('request_count', 'answered_count + failed_count <= request_count', 'no more requests were answered or given up than the session needed'),
            ],
        },
        'run_files': {
            'key': ['run_id', 'benchmark_id', 'role', 'file_name', 'sha256', 'protocol_version'],
            'rules': [
            ],
        },
        'items': {
            'key': ['item_hash'],
            'rules': [
                ('item_set', "item_set is null or item_set in ('real', 'demo', 'imported')", "it is one of 'real', 'demo', 'imported'"),
                ('item_index', "item_index is null or item_index::double <= 'infinity'::double and item_index >= 0", 'it is a number, at least 0'),
                ('fields', 'fields is null or json_valid(fields)', 'it is JSON'),
                ('golds', 'golds is null or list_count(golds) = len(golds)', 'none of its elements is null'),
                ('choices', 'choices is null or list_count(choices) = len(choices)', 'none of its elements is null'),
                ('gold_index', 'gold_index is null or gold_index between 0 and len(choices) - 1', 'it is the index of one of the choices'),
            ],
        },
        'prompts': {
            'key': ['prompt_id'],
            'rules': [
            ],
        },
        'requests': {
            'key': ['request_id'],
            'rules': [
                ('kind', "kind is null or kind in ('generation', 'log_likelihood')", "it is one of 'generation', 'log_likelihood'"),
                ('continuations', 'continuations is null or list_count(continuations) = len(continuations)', 'none of its elements is null'),
                ('decoding', 'decoding is null or json_valid(decoding)', 'it is JSON'),
                ('decoding', "decoding is null or case when json_valid(decoding) then json_type(decoding) = 'OBJECT' end", 'it is a JSON object'),
                ('sample_index', "sample_index is null or sample_index::double <= 'infinity'::double and sample_index >= 0", 'it is a number, at least 0'),
                ('prompt_token_count', "prompt_token_count is null or prompt_token_count::double <= 'infinity'::double and prompt_token_count >= 0", 'it is a number, at least 0'),
                ('dropped_token_count', "dropped_token_count is null or dropped_token_count::double <= 'infinity'::double and dropped_token_count >= 0", 'it is a number, at least 0'),
                ('continuations', "(kind = 'log_likelihood') = (len(continuations) > 0)", 'a log_likelihood request has continuations, a generation request has none'),
            ],
        },
        'run_requests': {
            'key': ['run_id', 'protocol_version', 'item_hash', 'sample_index', 'variant_index', 'purpose', 'request_id'],
            'rules': [
                ('sample_index', "sample_index is null or sample_index::double <= 'infinity'::double and sample_index >= 0", 'it is a number, at least 0'),
                ('variant_index', "variant_index is null or variant_index::double <= 'infinity'::double and variant_index >= 0", 'it is a number, at least 0'),
                ('purpose', "purpose is null or purpose in ('answer', 'no_answer', 'unconditional')", "it is one of 'answer', 'no_answer', 'unconditional'"),
                ('target_token_ids', 'target_token_ids is null or list_count(target_token_ids) = len(target_token_ids)', 'none of its elements is null'),
            ],
        },
        'answers': {
            'key': ['request_id'],
            'rules': [
                ('input_token_count', "input_token_count is null or input_token_count::double <= 'infinity'::double and input_token_count >= 0 and input_token_count <= 2147483647", 'it is a number, at least 0, at most 2147483647'),
                ('output_token_count', "output_token_count is null or output_token_count::double <= 'infinity'::double and output_token_count >= 0 and output_token_count <= 2147483647", 'it is a number, at least 0, at most 2147483647'),
                ('cached_token_count', "cached_token_count is null or cached_token_count::double <= 'infinity'::double and cached_token_count >= 0 and cached_token_count <= 2147483647", 'it is a number, at least 0, at most 2147483647'),
                ('attempt_count', "attempt_count is null or attempt_count::double <= 'infinity'::double and attempt_count >= 1", 'it is a number, at least 1'),
                ('latency_seconds', "latency_seconds is null or latency_seconds::double <= 'infinity'::double and latency_seconds >= 0 and isfinite(latency_seconds)", 'it is a number, at least 0, finite'),
                ('answered_at', "answered_at is null or answered_at between '1970-01-01 00:00:00+00'::timestamptz and '2100-01-01 00:00:00+00'::timestamptz", 'it is a time from 1970-01-01 to 2100-01-01'),
            ],
        },
        'generations': {
            'key': ['request_id'],
            'rules': [
                ('stop_reason', "stop_reason is null or stop_reason in ('stop', 'length')", "it is one of 'stop', 'length'"),
                ('completion_token_ids', 'completion_token_ids is null or list_count(completion_token_ids) = len(completion_token_ids)', 'none of its elements is null'),
            ],
        },
        'log_likelihoods': {
            'key': ['request_id', 'continuation_index'],
            'rules': [
                ('continuation_index', "continuation_index is null or continuation_index::double <= 'infinity'::double and continuation_index >= 0", 'it is a number, at least 0'),
                ('log_likelihood', "log_likelihood is null or log_likelihood::double <= 'infinity'::double and (log_likelihood >= -1000000000.0 or log_likelihood = '-infinity'::double) and log_likelihood <= 0.0001", 'it is a number, at least -1000000000.0 or minus infinity, at most 0.0001'),
                ('token_count', "token_count is null or token_count::double <= 'infinity'::double and token_count >= 1", 'it is a number, at least 1'),
            ],
        },
        'failures': {
            'key': ['request_id', 'session_id'],
            'rules': [
                ('attempt_count', "attempt_count is null or attempt_count::double <= 'infinity'::double and attempt_count >= 1", 'it is a number, at least 1'),
                ('failed_at', "failed_at is null or failed_at between '1970-01-01 00:00:00+00'::timestamptz and '2100-01-01 00:00:00+00'::timestamptz", 'it is a time from 1970-01-01 to 2100-01-01'),
            ],
        },
        'translation_statistics': {
            'key': ['request_id', 'item_hash', 'measure_id', 'measure_version'],
            'rules': [
                ('match_counts', 'match_counts is null or list_count(match_counts) = len(match_counts)', 'none of its elements is null'),
                ('match_counts', "match_counts is null or len(list_filter(match_counts, lambda one: one is not null and not (one::double <= 'infinity'::double and one >= 0))) = 0", 'of each element, it is a number, at least 0'),
                ('ngram_counts', 'ngram_counts is null or list_count(ngram_counts) = len(ngram_counts)', 'none of its elements is null'),
                ('ngram_counts', "ngram_counts is null or len(list_filter(ngram_counts, lambda one: one is not null and not (one::double <= 'infinity'::double and one >= 0))) = 0", 'of each element, it is a number, at least 0'),
                ('candidate_length', "candidate_length is null or candidate_length::double <= 'infinity'::double and candidate_length >= 0 and candidate_length <= 10000000", 'it is a number, at least 0, at most 10000000'),
                ('reference_length', "reference_length is null or reference_length::double <= 'infinity'::double and reference_length >= 0 and reference_length <= 10000000", 'it is a number, at least 0, at most 10000000'),
                ('sentence_bleu', "sentence_bleu is null or sentence_bleu::double <= 'infinity'::double and sentence_bleu >= 0 and sentence_bleu <= 1.000000001", 'it is a number, at least 0, at most 1.000000001'),
                ('measured_at', "measured_at is null or measured_at between '1970-01-01 00:00:00+00'::timestamptz and '2100-01-01 00:00:00+00'::timestamptz", 'it is a time from 1970-01-01 to 2100-01-01'),
                ('match_counts', 'len(match_counts) = 4', 'there are four, for lengths 1 to 4'),
                ('ngram_counts', 'len(ngram_counts) = 4', 'there are four, for lengths 1 to 4'),
                ('match_counts', 'len(list_filter(list_zip(match_counts, ngram_counts), lambda one: one[1] > one[2])) = 0', 'no more n-grams match than there are'),
                ('ngram_counts', 'ngram_counts = [greatest(0, candidate_length - length) for length in range(4)]', 'a completion of n tokens has n, n - 1, n - 2 and n - 3 n-grams, or none'),
            ],
        },
        'program_outcomes': {
            'key': ['request_id', 'item_hash', 'measure_id', 'measure_version'],
            'rules': [
                ('outcome', "outcome is null or outcome in ('passed', 'failed', 'timed_out', 'killed_memory', 'sandbox_error')", "it is one of 'passed', 'failed', 'timed_out', 'killed_memory', 'sandbox_error'"),
                ('wall_seconds', "wall_seconds is null or wall_seconds::double <= 'infinity'::double and wall_seconds >= 0 and isfinite(wall_seconds)", 'it is a number, at least 0, finite'),
                ('measured_at', "measured_at is null or measured_at between '1970-01-01 00:00:00+00'::timestamptz and '2100-01-01 00:00:00+00'::timestamptz", 'it is a time from 1970-01-01 to 2100-01-01'),
            ],
        },
        'logged_scores': {
            'key': ['request_id', 'item_hash', 'metric'],
            'rules': [
                ('logged_score', 'not is_main or logged_score is null or logged_score between 0 and 1', 'the score of the main metric is from 0 to 1'),
            ],
        },
    }) }}
{%- endmacro %}
