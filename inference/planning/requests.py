"""Requests: what is sent to a server, named by its content."""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Literal

import orjson

RequestKind = Literal["generation", "log_likelihood"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a completion is generated, as the server is told."""

    max_new_tokens: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """What answers: the same three make the same answers."""

    model_id: str
    revision: str
    tokenizer_id: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """Context and continuation as token ids; no continuation is to be generated from."""

    context: array[int]
    continuation: array[int] = field(default_factory=lambda: array("i"))


@dataclass(frozen=True, slots=True)
class Request:
    """One thing sent: a prompt to complete, or continuations of it to weigh."""

    request_id: str
    kind: RequestKind
    prompt: str
    continuations: tuple[str, ...] = ()
    sampling: Sampling | None = None
    """Null for log-likelihoods."""
    sample_index: int = 0
    sequences: tuple[Sequence, ...] = ()
    """The prompt as tokens, once per continuation; empty: the server makes tokens of the text."""
    dropped_token_count: int = 0
    """Tokens at the prompt's beginning that were not sent, because the context is too short."""

    @property
    def is_single_token(self) -> bool:
        """Whether one look at the next token gives every continuation's log-likelihood.

        So it is when all continuations are one token after the very same context: the server
        computes that token's distribution anyway, and the numbers are the same.
        """
        if len(self.sequences) < 2:
            return False
        context = self.sequences[0].context
        return all(
            len(sequence.continuation) == 1 and sequence.context is context
            for sequence in self.sequences
        )

    @property
    def prompt_token_count(self) -> int | None:
        """Tokens of the prompt as sent; null where the server counts them."""
        return len(self.sequences[0].context) if self.sequences else None

    @property
    def decoding(self) -> str:
        """What fixes the answer besides model, prompt, continuations and sample, as JSON."""
        return _json(asdict(self.sampling)) if self.sampling else "{}"


def request_id(
    model: Model,
    kind: RequestKind,
    prompt: str,
    *,
    continuations: tuple[str, ...] = (),
    sampling: Sampling | None = None,
    sample_index: int = 0,
    special_tokens: bool,
    dropped_token_count: int = 0,
) -> str:
    """Name of a request: 32 hexadecimal digits of the sha256 of all that fixes its answer.

    Model, revision, tokenizer, prompt, kind, continuations, decoding parameters and sample
    index; and whether special tokens were added, and how much of the prompt was dropped.
    """
    content = [
        prompt,
        list(continuations),
        sample_index,
        special_tokens,
        dropped_token_count,
    ]
    head = _head(model, kind, sampling)
    digest = hashlib.sha256(head)
    digest.update(orjson.dumps(content))
    return digest.hexdigest()[:32]


@lru_cache(maxsize=1024)
def _head(model: Model, kind: RequestKind, sampling: Sampling | None) -> bytes:
    """The part of the content that thousands of requests share."""
    return _json([asdict(model), kind, asdict(sampling) if sampling else None]).encode()


def prompt_id(prompt: str) -> str:
    """Name of a prompt: 32 hexadecimal digits of its sha256."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:32]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
