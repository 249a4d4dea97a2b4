"""SGLang's `/generate`: what a call looks like, and how its answer is read.

The format is that of SGLang 0.5.23 (managers/io_struct.py, GenerateReqInput, and
managers/tokenizer_manager.py, add_logprob_to_meta_info). Its answers are written by orjson, which
has neither infinities nor NaN: a log-probability of minus infinity comes as null, and so does one
that is not a number. What else stands beside the null tells them apart: NaN among the logits
makes every log-probability of its position NaN, the best one too. Where nothing does, the prompt
is asked once more with the best token's log-probability (`DoubtError`). Of the next token, minus
infinity comes as the least number of single precision (layers/logprob_processor.py,
compute_logprobs).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar, get_args

import msgspec
import orjson

from inference.errors import ModelChangedError, RequestError
from warehouse.records import HIGHEST_LOG_LIKELIHOOD, Answer, StopReason, Within, columns

if TYPE_CHECKING:
    from inference.planning.requests import Request, Sampling, Sequence

Value = TypeVar("Value")

NEXT_TOKEN = -1
"""All continuations of a request in one look at the next token."""

WARMING = -2
"""The prompt of a completion, only so that the server has it in its cache."""


JobKind = Literal["generation", "sequence", "next_token", "warming"]


class Job(NamedTuple):
    """One sequence of a request: what a server treats as one prompt."""

    request: Request
    sequence_index: int
    """Of the request's sequences; NEXT_TOKEN or WARMING for what is no sequence of its own."""

    @property
    def kind(self) -> JobKind:
        """Jobs of a kind can share a call."""
        if self.sequence_index == WARMING:
            return "warming"
        if self.request.kind == "generation":
            return "generation"
        return "next_token" if self.sequence_index == NEXT_TOKEN else "sequence"


LEAST = -3.4028234663852886e38
"""The least number of single precision: no log-probability, but what a server writes for none."""


class Outcome(NamedTuple):
    """What a server said to a job."""

    log_likelihoods: tuple[float, ...]
    """In nats; minus infinity for what the model holds impossible."""
    completion: str | None
    stop_reason: str | None
    input_token_count: int
    output_token_count: int
    cached_token_count: int | None
    """Null where the server does not say it."""


STOP_REASONS = get_args(StopReason)


class UnreadableError(Exception):
    """The answer to a call as a whole makes no sense."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final
        """Whether the very same call would be answered so again, because of its prompts."""


class DoubtError(RequestError):
    """A log-probability is null, and nothing in the answer says which null it is."""


Entry = tuple[float | None, int, Any]
"""Log-probability, token id, and the token's text, which nobody asked for."""


_RANGE = next(
    mark
    for column in columns(Answer)
    if column.name == "input_token_count"
    for mark in column.marks
    if isinstance(mark, Within)
)

_Count = Annotated[int, msgspec.Meta(ge=_RANGE.at_least, le=_RANGE.at_most)]
"""As many tokens as the raw store takes."""


class _FinishReason(msgspec.Struct, gc=False):
    type: str
    message: Any = None


class _Meta(msgspec.Struct, gc=False):
    finish_reason: _FinishReason | str | None = None
    id: str | None = None
    weight_version: str | None = None
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    cached_tokens: _Count | None = None
    input_token_logprobs: list[Entry] | None = None
    input_top_logprobs: list[list[Entry] | None] | None = None
    output_token_ids_logprobs: list[list[Entry] | None] | None = None
    output_top_logprobs: list[list[Entry] | None] | None = None


class _Said(msgspec.Struct, gc=False):
    """One prompt's answer, as far as it is read."""

    meta_info: _Meta
    text: str | None = None


_ANSWERS = msgspec.json.Decoder(list[_Said])


def jobs_of(request: Request) -> list[Job]:
    """What has to be asked for the request: one job, or one per continuation."""
    if request.is_single_token:
        return [Job(request, NEXT_TOKEN)]
    return [Job(request, index) for index in range(max(1, len(request.sequences)))]


def body_of(jobs: list[Job], tags: list[str] | None = None, *, with_best: bool = False) -> bytes:
    """The body of a call; all jobs are of one kind.

    With `tags` the server is to say each job's own tag beside its answer. With `with_best` it says
    each position's best log-probability, too.
    """
    payload = _PAYLOADS[jobs[0].kind](jobs)
    if with_best:
        payload["top_logprobs_num"] = 1
    if tags:
        payload["rid"] = tags
    return orjson.dumps(payload)


def size_limit(jobs: list[Job]) -> int:
    """Bytes that the answer to a call can have: for each job 64 KiB, and 256 for each token.

    Counted are the tokens that are written, weighed or compared; the longest token of a
    vocabulary, every character escaped, has no more.
    """
    kind = jobs[0].kind
    if kind == "generation":
        told_count = sum(
            job.request.sampling.max_new_tokens for job in jobs if job.request.sampling
        )
    elif kind == "sequence":
        # Each with the best token of its position beside it, where that was asked for.
        told_count = sum(
            2 * len(job.request.sequences[job.sequence_index].continuation) + 2 for job in jobs
        )
    else:
        told_count = sum(2 * len(job.request.sequences) for job in jobs)
    return 65_536 * len(jobs) + 256 * told_count


def _generation(jobs: list[Job]) -> dict[str, Any]:
    return {
        "sampling_params": [_sampling_params(job.request.sampling) for job in jobs],
        **_prompts(jobs),
    }


def _warming(jobs: list[Job]) -> dict[str, Any]:
    return {"sampling_params": {"max_new_tokens": 1, "temperature": 0.0}, **_prompts(jobs)}


def _prompts(jobs: list[Job]) -> dict[str, Any]:
    if jobs[0].request.sequences:
        return {"input_ids": [job.request.sequences[0].context.tolist() for job in jobs]}
    return {"text": [job.request.prompt for job in jobs]}


def _sequences(jobs: list[Job]) -> dict[str, Any]:
    sequences = [job.request.sequences[job.sequence_index] for job in jobs]
    return {
        "input_ids": [(one.context + one.continuation).tolist() for one in sequences],
        "sampling_params": {"max_new_tokens": 0, "temperature": 0.0},
        "return_logprob": True,
        # From the continuation on: to ask for more would make the server compute the context
        # anew, whatever it has in its cache.
        "logprob_start_len": [max(0, len(one.context) - 1) for one in sequences],
    }


def _next_tokens(jobs: list[Job]) -> dict[str, Any]:
    contexts = [job.request.sequences[0].context.tolist() for job in jobs]
    return {
        "input_ids": contexts,
        "sampling_params": {"max_new_tokens": 1, "temperature": 0.0},
        "return_logprob": True,
        "logprob_start_len": [len(context) - 1 for context in contexts],
        "token_ids_logprob": [
            [sequence.continuation[0] for sequence in job.request.sequences] for job in jobs
        ],
    }


_PAYLOADS = {
    "generation": _generation,
    "warming": _warming,
    "sequence": _sequences,
    "next_token": _next_tokens,
}


def _sampling_params(sampling: Sampling | None) -> dict[str, Any]:
    assert sampling is not None
    parameters: dict[str, Any] = {
        "max_new_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
    }
    if sampling.stop:
        parameters["stop"] = list(sampling.stop)
    if sampling.temperature:
        parameters["top_p"] = sampling.top_p
        parameters["sampling_seed"] = sampling.seed
    return parameters


def outcomes_of(
    jobs: list[Job],
    content: bytes,
    tags: list[str] | None = None,
    weight_version: str | None = None,
) -> list[Outcome | RequestError]:
    """What the answer says to each job of the call; an answer that cannot be read is an error.

    Where an answer has a tag or a version of the weights, they must be those of the job and of the
    run; null takes any.

    Raises:
        UnreadableError: the answer is not JSON, or not one answer per job.
        ModelChangedError: other weights have answered.
    """
    parts = _parts(content)
    if len(parts) != len(jobs):
        raise UnreadableError(
            f"the server answered {len(parts)} prompts of {len(jobs)}", is_final=True
        )
    kind = jobs[0].kind
    return [
        _outcome_or_error(job, kind, part, tag, weight_version)
        for job, part, tag in zip(
            jobs, parts, tags or itertools.repeat(None, len(jobs)), strict=True
        )
    ]


def _parts(content: bytes) -> list[Any]:
    """One part per prompt; where any of them is not what it should be, all as they came."""
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        return _ANSWERS.decode(content)
    try:
        # Python's own reader also takes the words of its writer for infinities and NaN.
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(
            f"the server's answer is not JSON: {head(content)}", is_final=False
        ) from error
    # A call of one prompt may be answered without a list.
    return said if isinstance(said, list) else [said]


def _outcome_or_error(
    job: Job, kind: JobKind, part: Any, tag: str | None, weight_version: str | None
) -> Outcome | RequestError:
    try:
        said = part if isinstance(part, _Said) else msgspec.convert(part, _Said)
        meta = said.meta_info
        if meta.id != tag or meta.weight_version != weight_version:
            _check_origin(meta, tag, weight_version)
        return _outcome(job, kind, said)
    except RequestError as error:
        return error
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        return RequestError(f"the server's answer cannot be read ({error}): {_shown(part)}")
    except RecursionError:
        return RequestError("the server's answer cannot be read: it is nested too deeply")


def _shown(part: Any) -> str:
    try:
        return f"{part!r:.500}"
    except RecursionError:
        return "it is nested too deeply to be shown"


def _check_origin(meta: _Meta, tag: str | None, weight_version: str | None) -> None:
    """Return if the answer is the one that was asked for, as far as it says so."""
    if tag is not None and meta.id is not None and meta.id != tag:
        raise RequestError(
            f"the server's answer has the id {meta.id!r:.100}, asked was {tag!r}: it may be that of"
            " another prompt"
        )
    if None not in (weight_version, meta.weight_version) and meta.weight_version != weight_version:
        raise ModelChangedError(
            f"the server answered with the weights {meta.weight_version!r:.100}; the run began with"
            f" {weight_version!r}"
        )


def _outcome(job: Job, kind: JobKind, said: _Said) -> Outcome:
    meta = said.meta_info
    reason = meta.finish_reason
    stop_reason = reason.type if isinstance(reason, _FinishReason) else reason
    if stop_reason == "abort":
        raise RequestError(f"the server gave up: {msgspec.to_builtins(reason)!r:.500}")
    if stop_reason not in STOP_REASONS:
        raise RequestError(
            f"the server's answer cannot be read: its finish_reason is {stop_reason!r:.100}, not"
            f" one of {', '.join(STOP_REASONS)}"
        )
    log_likelihoods: tuple[float, ...] = ()
    if kind == "sequence":
        log_likelihoods = (_of_sequence(job.request.sequences[job.sequence_index], meta),)
    elif kind == "next_token":
        log_likelihoods = _of_next_token(job.request, meta)
    _check_counts(job, kind, meta)
    is_completion = kind == "generation"
    return Outcome(
        log_likelihoods,
        _storable(_given(said.text, "text")) if is_completion else None,
        stop_reason if is_completion else None,
        _given(meta.prompt_tokens, "prompt_tokens"),
        _given(meta.completion_tokens, "completion_tokens"),
        meta.cached_tokens,
    )


def _check_counts(job: Job, kind: JobKind, meta: _Meta) -> None:
    """Return if the numbers of tokens are possible, given what was sent.

    SGLang reads the ids that it is sent and no others, and writes no more than `max_new_tokens`;
    how many tokens a text has is the server's to say.
    """
    read = _given(meta.prompt_tokens, "prompt_tokens")
    written = _given(meta.completion_tokens, "completion_tokens")
    sent = _sent_count(job, kind)
    if sent is not None and read != sent:
        raise RequestError(f"the server says that it read {read} tokens; {sent} were sent")
    limit = _new_token_limit(job, kind)
    if written > limit:
        raise RequestError(f"the server says that it wrote {written} tokens; asked were {limit}")
    if meta.cached_tokens is not None and meta.cached_tokens > read:
        raise RequestError(
            f"the server says that {meta.cached_tokens} of the {read} tokens that it read were"
            " cached"
        )


def _sent_count(job: Job, kind: JobKind) -> int | None:
    """Tokens of the prompt that was sent; null where a text was."""
    if not job.request.sequences:
        return None
    if kind == "sequence":
        sequence = job.request.sequences[job.sequence_index]
        return len(sequence.context) + len(sequence.continuation)
    return len(job.request.sequences[0].context)


def _new_token_limit(job: Job, kind: JobKind) -> int:
    """As the payloads of `body_of` have it."""
    if kind == "generation":
        assert job.request.sampling is not None
        return job.request.sampling.max_new_tokens
    return 0 if kind == "sequence" else 1


def _storable(text: str) -> str:
    # JSON can escape half of a character, which no file holds; encoding it is a ValueError.
    text.encode()
    return text


def _given(value: Value | None, name: str) -> Value:
    if value is None:
        raise RequestError(f"the server's answer cannot be read: it has no {name}")
    return value


def _of_sequence(sequence: Sequence, meta: _Meta) -> float:
    """Sum over the continuation's tokens, which must be those that were sent."""
    count = len(sequence.continuation)
    entries = _given(meta.input_token_logprobs, "input_token_logprobs")[-count:]
    tokens = [entry[1] for entry in entries]
    asked = sequence.continuation.tolist()
    if tokens != asked:
        raise RequestError(f"the server weighed the tokens {tokens}, asked were {asked}")
    values = [entry[0] for entry in entries]
    if None in values:
        bests = meta.input_top_logprobs
        if bests is None:
            raise DoubtError(f"the server gave no log-probability of a token among {tokens}")
        values = [
            _impossible(best) if value is None else value
            for value, best in zip(values, bests[-count:], strict=True)
        ]
    return _checked(math.fsum(_checked(value) for value in values if value is not None))


def _of_next_token(request: Request, meta: _Meta) -> tuple[float, ...]:
    positions = _given(meta.output_token_ids_logprobs, "output_token_ids_logprobs")
    by_token = {entry[1]: entry[0] for entry in (positions[0] if positions else None) or ()}
    tokens = [sequence.continuation[0] for sequence in request.sequences]
    try:
        values = [by_token[token] for token in tokens]
    except KeyError as error:
        raise RequestError(f"the server did not weigh the token {error} of {tokens}") from error
    if values.count(None) == len(values):
        if meta.output_top_logprobs is None:
            raise DoubtError(f"the server gave no log-probability of any token of {tokens}")
        _impossible(meta.output_top_logprobs[0] if meta.output_top_logprobs else None)
    # One number shows that the position has a distribution, in which the others have no mass.
    return tuple(-math.inf if value is None else _checked(value) for value in values)


def _impossible(best: list[Entry] | None) -> float:
    """Minus infinity, if the best token of the position shows that it has a distribution."""
    if not best or best[0][0] is None:
        raise RequestError("the server gave log-probabilities that are not numbers")
    _checked(best[0][0])
    return -math.inf


def _checked(log_likelihood: float) -> float:
    # Written so that what is not a number is refused, too.
    if not log_likelihood <= HIGHEST_LOG_LIKELIHOOD:
        raise RequestError(f"the server gave a log-likelihood of {log_likelihood}; none is above 0")
    return log_likelihood if log_likelihood > LEAST else -math.inf


def head(body: bytes) -> str:
    """The beginning of what a server said, for a message."""
    return body[:500].decode("utf-8", "replace")
