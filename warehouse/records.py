"""Records: every row that is stored, typed once.

A row is what inference writes down and what the raw store holds. Its class says the columns, their
types, what null means and since which version they are there. From here follow

- the Arrow schemas of shards, and how a shard of an earlier version is read;
- the statements that bring a shard into the raw store, as far as they say nothing new;
- what every row keeps to, by itself and beside the rows of other tables, which `checking` looks at
  when a shard is loaded and whenever `evalwh check` is called;
- names, types and descriptions in `models/staging/_raw_store.yml` (`make records` writes them), and
  from those the columns of its staging views;
- the tables of the raw store, which `warehouse/migrations/` makes: a test holds both together.

A new column gets the next `VERSION` as its `Since`, and a migration of that number. A column is
never renamed, retyped or dropped: shards that were written with it have to be read for ever.

A column without a sentence of its own is described in `models/columns.md`, because marts have it
too. What values a column may have belongs beside its type, as a further annotation.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import pyarrow as pa

VERSION = 2
"""Version of the records: of the shards that are written, and of the raw store.

1: as at commit ef9b623, before shards and stores said their version.
2: `code_version` of sessions, `shard_version` of loaded shards, `protocol_version` of files,
   `is_recorded` of program outcomes.
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """How a Python type is stored, where it does not say so itself."""

    arrow_type: pa.DataType
    sql_type: str


@dataclass(frozen=True, slots=True)
class Since:
    """The version in which a column came."""

    version: int
    earlier: Any = None
    """Its value in the rows of shards that are older; null for unknown."""


@dataclass(frozen=True, slots=True)
class Within:
    """The range of a number's values, both ends included; NaN is never in it."""

    at_least: float | None = None
    at_most: float | None = None
    is_finite: bool = False
    or_minus_infinity: bool = False
    """Whether minus infinity is a value, although it is less than `at_least`."""


@dataclass(frozen=True, slots=True)
class Between:
    """The first and the last moment of a time, both included, as dates; infinity is in none."""

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class JsonObject:
    """The text is a JSON object, not another JSON value."""


HIGHEST_LOG_LIKELIHOOD = 1e-4
"""A sum of log-probabilities is 0 at most, but for rounding."""

LOWEST_LOG_LIKELIHOOD = -1e9
"""A thousand nats for each of a million tokens: less is no sum of log-probabilities, but for minus
infinity."""

ANY_CLOCK = Between("1970-01-01", "2100-01-01")
"""What a clock may say: one that was never set begins in 1970. Times are not compared with one
another: a clock that is put right while a session asks says that an answer came before it began."""

LONGEST_TRANSLATION = 10_000_000
"""Tokens; no context is that long."""

Int32: TypeAlias = Annotated[int, Stored(pa.int32(), "integer")]
Int64: TypeAlias = Annotated[int, Stored(pa.int64(), "bigint")]
Json: TypeAlias = Annotated[str, Stored(pa.string(), "json")]
Time: TypeAlias = Annotated[
    datetime, Stored(pa.timestamp("us", tz="UTC"), "timestamp with time zone"), ANY_CLOCK
]

_PLAIN = {
    str: Stored(pa.string(), "varchar"),
    float: Stored(pa.float64(), "double"),
    bool: Stored(pa.bool_(), "boolean"),
}

LogLikelihoodValue: TypeAlias = Annotated[
    float,
    Within(at_least=LOWEST_LOG_LIKELIHOOD, at_most=HIGHEST_LOG_LIKELIHOOD, or_minus_infinity=True),
]
Seconds: TypeAlias = Annotated[float, Within(at_least=0, is_finite=True)]
Index: TypeAlias = Annotated[int, Stored(pa.int32(), "integer"), Within(at_least=0)]
Count32: TypeAlias = Index
TranslationLength: TypeAlias = Annotated[
    int, Stored(pa.int32(), "integer"), Within(at_least=0, at_most=LONGEST_TRANSLATION)
]
Count: TypeAlias = Annotated[int, Stored(pa.int64(), "bigint"), Within(at_least=0)]
TokenCount: TypeAlias = Annotated[
    int, Stored(pa.int64(), "bigint"), Within(at_least=0, at_most=2**31 - 1)
]
PositiveCount: TypeAlias = Annotated[int, Stored(pa.int32(), "integer"), Within(at_least=1)]
Object: TypeAlias = Annotated[str, Stored(pa.string(), "json"), JsonObject()]

ItemSet = Literal["real", "demo", "imported"]
RequestKind = Literal["generation", "log_likelihood"]
Purpose = Literal["answer", "no_answer", "unconditional"]
StopReason = Literal["stop", "length"]
Outcome = Literal["passed", "failed", "timed_out", "killed_memory", "sandbox_error"]


class RunSession(TypedDict):
    """Sessions in which models were asked: with what server, how, and by what code.

    A run is a model under a protocol on a set of items; every invocation that asks for it is a
    session. One row per session.
    """

    run_id: str
    session_id: str
    """Name of the session; sorts by time."""
    item_set: ItemSet
    protocol: str
    model_id: str
    model_revision: str
    """Commit of the model, or a fingerprint of its weights."""
    tokenizer_id: str
    """Hash of the tokenizer."""
    context_length: Int64 | None
    """Tokens of prompt and completion together; null for imported samples."""
    benchmark_ids: Sequence[str]
    """Benchmarks that the session was to ask."""
    endpoints: Sequence[str]
    """Addresses of the servers."""
    engine: str
    """Inference engine."""
    engine_version: str | None
    """Version of the engine; null where it did not say."""
    server_arguments: Json | None
    """How the servers were started, by address, or another harness was; null where it is not
    known."""
    gpu_names: Sequence[str] | None
    """GPUs of the server; empty for a CPU, null where nobody could tell."""
    concurrency: Int32 | None
    """Batches under way at the same time, per server; null for imported samples."""
    batch_size: Int32 | None
    """Prompts per call; null for imported samples."""
    configuration: Object
    """The whole configuration of the session."""
    code_commit: str | None
    """Commit of this project, with -dirty if it was changed; null outside a checkout."""
    code_version: Annotated[str | None, Since(2)]
    """Version of this project; null for sessions of before it was written down."""
    python_version: str | None
    """Version of Python; null for imported samples."""
    started_at: Time
    """When the session began."""


class RunSessionEnd(TypedDict):
    """Sessions that came to their end; others were interrupted. One row per session."""

    session_id: str
    """The session."""
    request_count: Count
    """Requests that the session needed."""
    answered_count: Count
    """Requests that the session had answered."""
    failed_count: Count
    """Requests that it gave up."""
    finished_at: Time
    """When it ended."""


class RunFile(TypedDict):
    """Files that the items of a run were read from. One row per run, benchmark and file."""

    run_id: str
    benchmark_id: str
    role: str
    """What the file was for: test, pool, ..."""
    file_name: str
    """Name of the file, after its subject or subtask if it has one."""
    sha256: str
    """Hash of its bytes."""
    departure: str
    """How a stand-in differs from upstream's file; empty for none."""
    protocol_version: Annotated[str, Since(2, earlier="")]
    """Version of the benchmark's protocol that it was read for; empty where that was not written
    down: then it counts for all of them."""


class Item(TypedDict):
    """Items that were asked, by content. One row per item."""

    item_hash: str
    item_set: ItemSet
    benchmark_id: str
    item_id: str
    """Name of the item within its benchmark."""
    item_index: Count
    """Place of the item in its file, from 0."""
    subset: str
    """Subject or subtask; empty for none."""
    cluster_id: str
    """Items with the same one are not independent: a passage, a subject."""
    fields: Json
    """What the prompt's template could name."""
    target: str
    """The answer as it stands in a worked example."""
    golds: Sequence[str]
    """Answers that count as right."""
    choices: Sequence[str]
    """What there is to choose from; empty for generation."""
    gold_index: Int32 | None
    """Index of the right choice; null for generation."""


class Prompt(TypedDict):
    """Texts that models were given. One row per text."""

    prompt_id: str
    """Hash of the text."""
    prompt_text: str
    """The text, whole."""


class Request(TypedDict):
    """Requests, by content: model, prompt, continuations, decoding, sample. One row per request."""

    request_id: str
    model_id: str
    model_revision: str
    """Commit of the model, or a fingerprint of its weights."""
    tokenizer_id: str
    """Hash of the tokenizer."""
    kind: RequestKind
    """generation or log_likelihood."""
    prompt_id: str
    """The prompt."""
    continuations: Sequence[str]
    """What is weighed after the prompt; empty for generation."""
    decoding: Object
    """Decoding parameters; an empty object for log-likelihoods."""
    sample_index: Index
    """Which draw of several, from 0."""
    prompt_token_count: Count | None
    """Tokens of the prompt as sent; null for imported samples."""
    dropped_token_count: Count
    """Tokens at the prompt's beginning that the context had no place for."""


class RunRequest(TypedDict):
    """What each run asks, and for which item.

    One row per run, protocol version, item, sample, variant, purpose and request.
    """

    run_id: str
    benchmark_id: str
    protocol_version: str
    scorer: str
    """How the answer is to be scored."""
    item_hash: str
    sample_index: Index
    """Which draw of several, from 0."""
    variant_index: Index
    """Which of several contexts, from 0."""
    purpose: Purpose
    """answer, or what an extra log-likelihood is for."""
    request_id: str
    target_token_ids: Sequence[Int32] | None
    """The target in the model's own tokens, for scorers that need them; otherwise null."""


class Answer(TypedDict):
    """Requests that were answered. One row per request."""

    request_id: str
    session_id: str
    """Session in which the answer came."""
    endpoint: str
    """Server that answered."""
    input_token_count: TokenCount | None
    """Tokens that the server read, over all continuations; null for imported samples."""
    output_token_count: TokenCount | None
    """Tokens that it wrote; null for imported samples."""
    cached_token_count: TokenCount | None
    """Of the input tokens, those that it had computed before; null for imported samples, and where
    the server did not say it."""
    attempt_count: PositiveCount | None
    """Attempts of the call that brought the answer; null for imported samples."""
    latency_seconds: Seconds | None
    """Seconds of that call; null for imported samples."""
    answered_at: Time
    """When the answer was written down."""


class Generation(TypedDict):
    """Completions, as they came. One row per request of kind generation."""

    request_id: str
    completion_text: str
    """The completion, without its stop text; may be empty."""
    stop_reason: StopReason | None
    """stop: a stop text or the end of the text; length: the limit of new tokens; null: not known,
    of imported samples."""
    completion_token_ids: Sequence[Int32] | None
    """The completion in the model's own tokens, for scorers that need them; otherwise null."""


class LogLikelihood(TypedDict):
    """Log-likelihoods, as they came.

    One row per request of kind log_likelihood and continuation.
    """

    request_id: str
    continuation_index: Index
    """Which continuation, from 0."""
    log_likelihood: LogLikelihoodValue
    """Sum of the log-probabilities of the continuation's tokens, in nats."""
    token_count: PositiveCount | None
    """Tokens of the continuation; null for imported samples."""
    is_single_token: bool | None
    """Whether all continuations were weighed by one look at the next token; null for imported
    samples."""


class Failure(TypedDict):
    """Requests that were given up; a later session may have answered them.

    One row per request and session.
    """

    request_id: str
    session_id: str
    """Session that gave it up."""
    endpoint: str
    """Server that was asked."""
    error: str
    """What went wrong in the last attempt."""
    attempt_count: PositiveCount
    """Attempts."""
    failed_at: Time
    """When it was given up."""


class TranslationStatistics(TypedDict):
    """Counts of completions against their references, from which BLEU is computed.

    One row per completion, item, measure and its version.
    """

    request_id: str
    item_hash: str
    measure_id: str
    """What was measured, named after the scorer that needs it."""
    measure_version: Int32
    """Version of the measure; goes up when its rule changes."""
    match_counts: Sequence[Count32]
    """N-grams of the completion that the reference has, by length 1 to 4."""
    ngram_counts: Sequence[Count32]
    """N-grams of the completion, by length 1 to 4."""
    candidate_length: TranslationLength
    """Tokens of the completion."""
    reference_length: TranslationLength
    """Tokens of the reference."""
    sentence_bleu: Annotated[float, Within(at_least=0, at_most=1 + 1e-9)]
    """BLEU of this completion alone as sacreBLEU's sentence_bleu rounds it, which may be a hair
    above 1; no score is made of it, but of the counts."""
    measured_at: Time
    """When it was measured."""


class ProgramOutcome(TypedDict):
    """What became of generated programs. One row per completion, item, measure and its version."""

    request_id: str
    item_hash: str
    measure_id: str
    """What was measured, named after the scorer that needs it."""
    measure_version: Int32
    """Version of the measure; goes up when its rule changes."""
    outcome: Outcome
    """passed, failed, timed_out, killed_memory, or sandbox_error (says nothing about the
    program)."""
    error_head: str
    """Beginning of what went wrong; empty if it passed."""
    wall_seconds: Seconds
    """How long it ran."""
    measured_at: Time
    """When it was run."""
    is_recorded: Annotated[bool, Since(2, earlier=False)]
    """Whether it came with the demonstration answers, from another machine's sandbox."""


class LoggedScore(TypedDict):
    """What another harness thought imported samples are worth.

    One row per sample, item and metric.
    """

    request_id: str
    item_hash: str
    metric: str
    """Metric as it was logged, and its filter if it has one: exact_match,strict-match."""
    is_main: bool
    """Whether it is the one that the scorer as_logged takes, the first that is a number from 0 to 1
    in all of the task's samples."""
    logged_score: float | None
    """The number that was logged, of any range; null where it was no number."""
    answer_text: str | None
    """What the harness's filter made of the completion; null for log-likelihoods."""


class LoadedShard(TypedDict):
    """Shards that are in the raw store: each wholly, and once. One row per shard."""

    shard_name: str
    """Name of its file."""
    kind: str
    """What it holds."""
    row_count: Int64
    """Rows of the file; 0 since all rows of its kind were forgotten."""
    loaded_at: Time
    """When it was brought in."""
    shard_version: Annotated[Int32, Since(2, earlier=1)]
    """Version of the records that it was written in."""


class Migration(TypedDict):
    """Steps that have brought the raw store to its version. One row per step."""

    version: Int32
    """Version that the step leads to."""
    migration: str
    """Name of its file."""
    applied_at: Time
    """When it was applied."""


# mypy forbids what two bases share, lest they differ; these are keys, and a test compares them.
class PlannedRequest(RunRequest, Request, Prompt):  # type: ignore[misc]
    """A row of a shard of requests: what a run asks, with the request and its prompt."""


class AnsweredRequest(Answer):
    """A row of a shard of answers: the answer with its completion or its log-likelihoods."""

    completion_text: str | None
    """Null for a log-likelihood request, as the two after it."""
    stop_reason: StopReason | None
    completion_token_ids: Sequence[Int32] | None
    log_likelihoods: Sequence[LogLikelihoodValue] | None
    """One element per continuation; null for a generation request, as the two after it."""
    token_counts: Sequence[PositiveCount | None] | None
    is_single_token: bool | None


@dataclass(frozen=True, slots=True)
class Rule:
    """What ties columns of a row together."""

    column: str
    """The column that is named where the rule is broken."""
    condition: str
    """True of every row that keeps the rule, in SQL over the row's columns."""
    sentence: str


ROW_RULES: dict[type, tuple[Rule, ...]] = {
    PlannedRequest: (
        Rule(
            "continuations",
            "(kind = 'log_likelihood') = (len(continuations) > 0)",
            "a log_likelihood request has continuations, a generation request has none",
        ),
    ),
    AnsweredRequest: (
        Rule(
            "log_likelihoods",
            "(completion_text is null) <> (log_likelihoods is null)",
            "an answer has a completion or log-likelihoods, and not both",
        ),
        Rule(
            "log_likelihoods",
            "log_likelihoods is null or len(log_likelihoods) > 0",
            "there is at least one log-likelihood",
        ),
        Rule(
            "token_counts",
            "token_counts is null or len(token_counts) = coalesce(len(log_likelihoods), -1)",
            "there are as many token counts as log-likelihoods",
        ),
    ),
    TranslationStatistics: (
        Rule("match_counts", "len(match_counts) = 4", "there are four, for lengths 1 to 4"),
        Rule("ngram_counts", "len(ngram_counts) = 4", "there are four, for lengths 1 to 4"),
        Rule(
            "match_counts",
            "len(list_filter(list_zip(match_counts, ngram_counts), lambda one: one[1] > one[2]))"
            " = 0",
            "no more n-grams match than there are",
        ),
        Rule(
            "ngram_counts",
            "ngram_counts = [greatest(0, candidate_length - length) for length in range(4)]",
            "a completion of n tokens has n, n - 1, n - 2 and n - 3 n-grams, or none",
        ),
    ),
    RunSessionEnd: (
        Rule(
            "request_count",
            "answered_count + failed_count <= request_count",
            "no more requests were answered or given up than the session needed",
        ),
    ),
    LoggedScore: (
        Rule(
            "logged_score",
            "not is_main or logged_score is null or logged_score between 0 and 1",
            "the score of the main metric is from 0 to 1",
        ),
    ),
    Item: (
        Rule(
            "gold_index",
            "gold_index is null or gold_index between 0 and len(choices) - 1",
            "it is the index of one of the choices",
        ),
    ),
}
"""Rules of the rows of shards that no single column can say."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a row names that has to be in another table."""

    column: str
    """Of the same name in both."""
    table: str
    rules: tuple[Rule, ...] = ()
    """What ties the row to the one that it names: SQL over `shard` and `named`."""


_OF_A_KNOWN_SESSION = Reference("session_id", "run_sessions")
_OF_ITS_MODEL = tuple(
    Rule(column, f"shard.{column} = named.{column}", "it is that of the run")
    for column in ("model_id", "model_revision", "tokenizer_id")
)
_MEASURED = (Reference("request_id", "generations"), Reference("item_hash", "items"))

REFERENCES: dict[type, tuple[Reference, ...]] = {
    RunSessionEnd: (_OF_A_KNOWN_SESSION,),
    RunFile: (Reference("run_id", "run_sessions"),),
    PlannedRequest: (
        Reference("run_id", "run_sessions", _OF_ITS_MODEL),
        Reference(
            "item_hash",
            "items",
            (
                Rule(
                    "benchmark_id",
                    "shard.benchmark_id = named.benchmark_id",
                    "it is that of the item",
                ),
                Rule(
                    "item_hash",
                    "exists (select 1 from raw.run_sessions as sessions where sessions.run_id ="
                    " shard.run_id and sessions.item_set = named.item_set)",
                    "the item is of the run's set of items",
                ),
                Rule(
                    "continuations",
                    "shard.purpose != 'answer' or len(shard.continuations) <= len(named.choices)",
                    "the item has no fewer choices than its answer weighs",
                ),
            ),
        ),
    ),
    AnsweredRequest: (
        _OF_A_KNOWN_SESSION,
        Reference(
            "request_id",
            "requests",
            (
                Rule(
                    "completion_text",
                    "(shard.completion_text is not null) = (named.kind = 'generation')",
                    "a generation request is answered by a completion, and no other",
                ),
                Rule(
                    "log_likelihoods",
                    "coalesce(len(shard.log_likelihoods), 0) = len(named.continuations)",
                    "there are as many as the request has continuations",
                ),
                Rule(
                    "session_id",
                    "exists (select 1 from raw.run_sessions as sessions where sessions.session_id ="
                    " shard.session_id and sessions.model_id = named.model_id and"
                    " sessions.model_revision = named.model_revision and sessions.tokenizer_id ="
                    " named.tokenizer_id)",
                    "a request is answered by the model that it asks",
                ),
            ),
        ),
    ),
    Failure: (_OF_A_KNOWN_SESSION, Reference("request_id", "requests")),
    TranslationStatistics: _MEASURED,
    ProgramOutcome: _MEASURED,
    LoggedScore: (Reference("request_id", "requests"), Reference("item_hash", "items")),
}
"""What the rows of shards name. What is named may still come: such a shard waits for it."""


@dataclass(frozen=True, slots=True)
class Determined:
    """Columns that have one value for each value of a key, in a shard and in the raw store."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    sentence: str


DETERMINED: dict[type, tuple[Determined, ...]] = {
    RunSession: (
        Determined("run_sessions", ("session_id",), ("run_id",), "a session is of one run"),
        Determined(
            "run_sessions",
            ("run_id",),
            ("item_set", "protocol", "model_id", "model_revision", "tokenizer_id"),
            "a run is one model under one protocol on one set of items",
        ),
    ),
    Item: (
        Determined(
            "items",
            ("item_hash",),
            ("benchmark_id", "item_id", "fields", "target", "golds", "choices", "gold_index"),
            "an item_hash names one content",
        ),
    ),
    PlannedRequest: (
        Determined("prompts", ("prompt_id",), ("prompt_text",), "a prompt_id names one text"),
        Determined(
            "requests",
            ("request_id",),
            (
                "model_id",
                "model_revision",
                "tokenizer_id",
                "kind",
                "prompt_id",
                "continuations",
                "decoding",
                "sample_index",
                "dropped_token_count",
            ),
            "a request_id names one content",
        ),
        Determined(
            "run_requests",
            ("run_id", "benchmark_id", "protocol_version"),
            ("scorer",),
            "a run scores a version of a benchmark's protocol in one way",
        ),
    ),
    LoggedScore: (
        Determined(
            "logged_scores",
            ("request_id", "item_hash", "metric"),
            ("logged_score",),
            "a metric gives a sample one score",
        ),
    ),
}
"""What must not be said in two ways. The same said twice is skipped."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the raw store."""

    name: str
    row: type
    key: tuple[str, ...]
    """Columns of which there are no two rows with the same values; the first row stays."""
    is_staged: bool = True
    """Whether dbt reads it."""


TABLES = {
    table.name: table
    for table in (
        Table("run_sessions", RunSession, ("session_id",)),
        Table("run_session_ends", RunSessionEnd, ("session_id",)),
        Table(
            "run_files",
            RunFile,
            ("run_id", "benchmark_id", "role", "file_name", "sha256", "protocol_version"),
        ),
        Table("items", Item, ("item_hash",)),
        Table("prompts", Prompt, ("prompt_id",)),
        Table("requests", Request, ("request_id",)),
        Table(
            "run_requests",
            RunRequest,
            (
                "run_id",
                "protocol_version",
                "item_hash",
                "sample_index",
                "variant_index",
                "purpose",
                "request_id",
            ),
        ),
        Table("answers", Answer, ("request_id",)),
        Table("generations", Generation, ("request_id",)),
        Table("log_likelihoods", LogLikelihood, ("request_id", "continuation_index")),
        Table("failures", Failure, ("request_id", "session_id")),
        Table(
            "translation_statistics",
            TranslationStatistics,
            ("request_id", "item_hash", "measure_id", "measure_version"),
        ),
        Table(
            "program_outcomes",
            ProgramOutcome,
            ("request_id", "item_hash", "measure_id", "measure_version"),
        ),
        Table("logged_scores", LoggedScore, ("request_id", "item_hash", "metric")),
        Table("loaded_shards", LoadedShard, ("shard_name",), is_staged=False),
        Table("migrations", Migration, ("version",), is_staged=False),
    )
}
"""The tables of the raw store, by name."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a row, as it is stored."""

    name: str
    arrow_type: pa.DataType
    sql_type: str
    is_nullable: bool
    since: Since
    marks: tuple[Any, ...] = ()
    """What its values keep to: `Within`, `Between`, `JsonObject`; of a list, what its elements
    do."""
    accepted: tuple[str, ...] = ()
    """The values that there are; empty for any."""
    has_null_elements: bool = False
    """Whether elements of a list may be null."""


@cache
def columns(row: type) -> tuple[Column, ...]:
    """The columns of a row, in their order."""
    return tuple(
        _column(name, hint) for name, hint in get_type_hints(row, include_extras=True).items()
    )


def arrow_schema(row: type) -> pa.Schema:
    """The Arrow schema of a row."""
    return pa.schema({column.name: column.arrow_type for column in columns(row)})


def _column(name: str, hint: Any) -> Column:
    marks, bare = _unmarked(hint)
    is_nullable, bare = _without_null(bare)
    stored = _stored(bare, marks)
    since = next((mark for mark in marks if isinstance(mark, Since)), Since(1))
    inner, kernel = _unmarked(bare)
    has_null_elements = False
    if get_origin(kernel) is Sequence:
        has_null_elements, element = _without_null(get_args(kernel)[0])
        inner, kernel = _unmarked(element)
    return Column(
        name,
        stored.arrow_type,
        stored.sql_type,
        is_nullable,
        since,
        tuple(mark for mark in (*marks, *inner) if isinstance(mark, Within | Between | JsonObject)),
        get_args(kernel) if get_origin(kernel) is Literal else (),
        has_null_elements,
    )


def _stored(hint: Any, marks: tuple[Any, ...] = ()) -> Stored:
    """How a type that has no null in it is stored."""
    inner, bare = _unmarked(hint)
    for mark in (*marks, *inner):
        if isinstance(mark, Stored):
            return mark
    if get_origin(bare) is Sequence:
        element = _stored(_without_null(get_args(bare)[0])[1])
        return Stored(pa.list_(element.arrow_type), f"{element.sql_type}[]")
    return _PLAIN[str if get_origin(bare) is Literal else bare]


def _unmarked(hint: Any) -> tuple[tuple[Any, ...], Any]:
    """The annotations of the type, and the type without them."""
    marks: tuple[Any, ...] = getattr(hint, "__metadata__", ())
    return marks, hint.__origin__ if marks else hint


def _without_null(hint: Any) -> tuple[bool, Any]:
    """Whether the type may be null, and the type otherwise."""
    if get_origin(hint) not in (Union, types.UnionType):
        return False, hint
    (bare,) = (one for one in get_args(hint) if one is not type(None))
    return True, bare
