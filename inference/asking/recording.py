"""Recording: answers to shards on the disk, so that what was acknowledged is never lost."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inference.asking.client import Answer, Failure
from warehouse.shard_files import SCHEMAS, write_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from inference.planning.tokenizers import Tokenizer
    from warehouse.shard_files import ShardKind


class Recorder:
    """Writes the shards of one session; one at a time, in the order in which they come.

    Answers are collected until there are `row_limit` of them or the oldest is `age_limit`
    seconds old; they are acknowledged, to `on_acknowledged`, when their shard is on the disk.
    """

    def __init__(
        self,
        folder: Path,
        session_id: str,
        *,
        row_limit: int = 8192,
        age_limit: float = 2.0,
        on_acknowledged: Callable[[list[Answer | Failure]], None] | None = None,
    ) -> None:
        self._folder = folder
        self._session_id = session_id
        self._row_limit = row_limit
        self._age_limit = age_limit
        self._on_acknowledged = on_acknowledged
        self._number = 0
        self._pending: list[Answer | Failure] = []
        self._pending_since = 0.0
        self._tokenizers: dict[str, Tokenizer] = {}
        self._writing = asyncio.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def store_tokens_of(self, request_ids: Iterable[str], tokenizer: Tokenizer) -> None:
        """Store the completions of these requests as token ids, too."""
        self._tokenizers.update(dict.fromkeys(request_ids, tokenizer))

    def add(self, result: Answer | Failure) -> None:
        """Take a result; it is not acknowledged before it is written."""
        if not self._pending:
            self._pending_since = time.monotonic()
        self._pending.append(result)

    @property
    def is_due(self) -> bool:
        """Whether there is enough, or something old enough, to write."""
        if not self._pending:
            return False
        age = time.monotonic() - self._pending_since
        return len(self._pending) >= self._row_limit or age >= self._age_limit

    async def flush(self) -> None:
        """Write what is pending, and acknowledge it."""
        async with self._writing:
            results, self._pending = self._pending, []
            answers = [result for result in results if isinstance(result, Answer)]
            failures = [result for result in results if isinstance(result, Failure)]
            if answers:
                await self._write(
                    "answers", answer_columns(answers, self._session_id, self._tokenizers)
                )
            if failures:
                await self._write("failures", failure_columns(failures, self._session_id))
            if results and self._on_acknowledged is not None:
                self._on_acknowledged(results)

    async def write(self, kind: ShardKind, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write `rows`, which are records of that kind, as a shard."""
        if rows:
            names = SCHEMAS[kind].names
            columns = {name: [row[name] for row in rows] for name in names}
            await self.write_columns(kind, columns)

    async def write_columns(self, kind: ShardKind, columns: Mapping[str, Any]) -> None:
        """Write `columns` as a shard of `kind`."""
        async with self._writing:
            await self._write(kind, columns)

    async def _write(self, kind: ShardKind, columns: Mapping[str, Any]) -> None:
        number = self._number
        self._number += 1
        # In a thread: packing and the disk take no turn from the network.
        await asyncio.to_thread(self._write_now, number, kind, columns)

    def _write_now(self, number: int, kind: ShardKind, columns: Mapping[str, Any]) -> None:
        table = pa.table(dict(columns), schema=SCHEMAS[kind])
        write_shard(self._folder, self._session_id, number, kind, table)


def answer_columns(
    answers: list[Answer], session_id: str, tokenizers: Mapping[str, Tokenizer]
) -> dict[str, Any]:
    """Columns of a shard of answers."""
    now = datetime.now(UTC)
    weighed = [answer.request.kind == "log_likelihood" for answer in answers]
    return {
        "request_id": [answer.request.request_id for answer in answers],
        "session_id": [session_id] * len(answers),
        "endpoint": [answer.endpoint for answer in answers],
        "input_token_count": [answer.input_token_count for answer in answers],
        "output_token_count": [answer.output_token_count for answer in answers],
        "cached_token_count": [answer.cached_token_count for answer in answers],
        "attempt_count": [answer.attempt_count for answer in answers],
        "latency_seconds": [answer.latency_seconds for answer in answers],
        "answered_at": [now] * len(answers),
        "completion_text": [answer.completion for answer in answers],
        "stop_reason": [answer.stop_reason for answer in answers],
        "completion_token_ids": [_token_ids(answer, tokenizers) for answer in answers],
        "log_likelihoods": [
            answer.log_likelihoods if is_weighed else None
            for answer, is_weighed in zip(answers, weighed, strict=True)
        ],
        "token_counts": [
            answer.token_counts if is_weighed else None
            for answer, is_weighed in zip(answers, weighed, strict=True)
        ],
        "is_single_token": [
            answer.request.is_single_token if is_weighed else None
            for answer, is_weighed in zip(answers, weighed, strict=True)
        ],
    }


def failure_columns(failures: list[Failure], session_id: str) -> dict[str, Any]:
    """Columns of a shard of failures."""
    return {
        "request_id": [failure.request.request_id for failure in failures],
        "session_id": [session_id] * len(failures),
        "endpoint": [failure.endpoint for failure in failures],
        "error": [failure.error for failure in failures],
        "attempt_count": [failure.attempt_count for failure in failures],
        "failed_at": [datetime.now(UTC)] * len(failures),
    }


def _token_ids(answer: Answer, tokenizers: Mapping[str, Tokenizer]) -> list[int] | None:
    tokenizer = tokenizers.get(answer.request.request_id)
    if tokenizer is None or answer.completion is None:
        return None
    return tokenizer.encode(answer.completion, special_tokens=False).tolist()
