-- The raw store: what was asked of models and what came back, as it came.
-- Nothing is ever changed in it; scores are derived from it by dbt.
create schema if not exists raw;

-- One row per run and session. A run is a model under a protocol on a set of items; every
-- invocation that asks for it is a session.
create table if not exists raw.run_sessions (
    run_id varchar not null,
    session_id varchar not null,
    item_set varchar not null,
    protocol varchar not null,
    model_id varchar not null,
    model_revision varchar not null,
    tokenizer_id varchar not null,
    context_length bigint,
    benchmark_ids varchar[] not null,
    endpoints varchar[] not null,
    engine varchar not null,
    engine_version varchar,
    server_arguments json,
    gpu_names varchar[],
    concurrency integer,
    batch_size integer,
    configuration json not null,
    code_commit varchar,
    python_version varchar,
    started_at timestamptz not null
);

-- One row per session that came to its end.
create table if not exists raw.run_session_ends (
    session_id varchar not null,
    request_count bigint not null,
    answered_count bigint not null,
    failed_count bigint not null,
    finished_at timestamptz not null
);

-- One row per run, benchmark and file that its items were read from.
create table if not exists raw.run_files (
    run_id varchar not null,
    benchmark_id varchar not null,
    role varchar not null,
    file_name varchar not null,
    sha256 varchar not null,
    departure varchar not null
);

-- One row per item; its id is a hash of its content.
create table if not exists raw.items (
    item_hash varchar not null,
    item_set varchar not null,
    benchmark_id varchar not null,
    item_id varchar not null,
    item_index bigint not null,
    subset varchar not null,
    cluster_id varchar not null,
    fields json not null,
    target varchar not null,
    golds varchar[] not null,
    choices varchar[] not null,
    gold_index integer
);

-- One row per text that any model was given.
create table if not exists raw.prompts (
    prompt_id varchar not null,
    prompt_text varchar not null
);

-- One row per request; its id is a hash of model, revision, tokenizer, prompt, continuations,
-- decoding and sample.
create table if not exists raw.requests (
    request_id varchar not null,
    model_id varchar not null,
    model_revision varchar not null,
    tokenizer_id varchar not null,
    kind varchar not null,
    prompt_id varchar not null,
    continuations varchar[] not null,
    decoding json not null,
    sample_index integer not null,
    prompt_token_count bigint,
    dropped_token_count bigint not null
);

-- One row per run, item and request: what a run asks, and for which item.
create table if not exists raw.run_requests (
    run_id varchar not null,
    benchmark_id varchar not null,
    protocol_version varchar not null,
    scorer varchar not null,
    item_hash varchar not null,
    sample_index integer not null,
    variant_index integer not null,
    purpose varchar not null,
    request_id varchar not null,
    target_token_ids integer[]
);

-- One row per answered request.
create table if not exists raw.answers (
    request_id varchar not null,
    session_id varchar not null,
    endpoint varchar not null,
    input_token_count bigint,
    output_token_count bigint,
    cached_token_count bigint,
    attempt_count integer,
    latency_seconds double,
    answered_at timestamptz not null
);

-- One row per answered request of kind generation.
create table if not exists raw.generations (
    request_id varchar not null,
    completion_text varchar not null,
    stop_reason varchar,
    completion_token_ids integer[]
);

-- One row per answered request of kind log_likelihood and continuation.
create table if not exists raw.log_likelihoods (
    request_id varchar not null,
    continuation_index integer not null,
    log_likelihood double not null,
    token_count integer,
    is_single_token boolean
);

-- One row per request and session in which it kept failing; a later session may have its answer.
create table if not exists raw.failures (
    request_id varchar not null,
    session_id varchar not null,
    endpoint varchar not null,
    error varchar not null,
    attempt_count integer not null,
    failed_at timestamptz not null
);

-- One row per shard file that was brought in: it is here wholly, once.
create table if not exists raw.loaded_shards (
    shard_name varchar not null primary key,
    kind varchar not null,
    row_count bigint not null,
    loaded_at timestamptz not null
);

-- One row per completion, item, measure and its version: what BLEU is computed from.
create table if not exists raw.translation_statistics (
    request_id varchar not null,
    item_hash varchar not null,
    measure_id varchar not null,
    measure_version integer not null,
    match_counts integer[] not null,
    ngram_counts integer[] not null,
    candidate_length integer not null,
    reference_length integer not null,
    sentence_bleu double not null,
    measured_at timestamptz not null
);

-- One row per completion, item and version of the runner: what became of the generated program.
create table if not exists raw.program_outcomes (
    request_id varchar not null,
    item_hash varchar not null,
    measure_id varchar not null,
    measure_version integer not null,
    outcome varchar not null,
    error_head varchar not null,
    wall_seconds double not null,
    measured_at timestamptz not null
);

-- One row per imported sample, item and metric: what another harness thought it is worth.
create table if not exists raw.logged_scores (
    request_id varchar not null,
    item_hash varchar not null,
    metric varchar not null,
    is_main boolean not null,
    logged_score double,
    answer_text varchar
);

-- What nobody logged of imported answers is null; stores made before there were any forbid it.
alter table raw.run_sessions alter column concurrency drop not null;
alter table raw.run_sessions alter column batch_size drop not null;
alter table raw.run_sessions alter column python_version drop not null;
alter table raw.answers alter column attempt_count drop not null;
alter table raw.answers alter column latency_seconds drop not null;
alter table raw.generations alter column stop_reason drop not null;
alter table raw.log_likelihoods alter column token_count drop not null;
alter table raw.log_likelihoods alter column is_single_token drop not null;
