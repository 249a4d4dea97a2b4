"""Recording: answers to shards on the disk, so that what was acknowledged is never lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from inference.asking.accepting import ShardRules
from inference.asking.client import SEEING_SECONDS, Answer, Failure
from inference.errors import EndpointError, ModelChangedError, RecordingError
from warehouse.errors import WarehouseError
from warehouse.shard_files import SCHEMAS, write_shard
from warehouse.whole_files import clean_up, whole_file

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from inference.planning.tokenizers import Tokenizer
    from warehouse.shard_files import ShardKind

LAST_LOOK_SECONDS = 5.0
"""For a look at a server when the run is over."""

UNCONFIRMED = "unconfirmed"
"""Subfolder of answers of which nobody can say which model gave them; it is never loaded."""


class Recorder:
    """Writes the shards of one session; one at a time, in the order in which they come.

    Answers are collected until there are `row_limit` of them or the oldest is `age_limit`
    seconds old; they are acknowledged, to `on_acknowledged`, when their shard is on the disk.

    Before they are written, `look` is asked whether the server at their address still serves the
    model that it did, and has so many seconds to find out. What came from a server that does not
    is set aside in `unconfirmed`, which is never loaded; what came from one that cannot be reached
    waits until it can.
    """

    def __init__(
        self,
        folder: Path,
        session_id: str,
        *,
        row_limit: int = 8192,
        age_limit: float = 2.0,
        on_acknowledged: Callable[[list[Answer | Failure]], None] | None = None,
        look: Callable[[str, float], Awaitable[object]] | None = None,
    ) -> None:
        """Make the folder.

        Raises:
            RecordingError: it cannot be made.
        """
        self._folder = folder
        self._session_id = session_id
        self._row_limit = row_limit
        self._age_limit = age_limit
        self._on_acknowledged = on_acknowledged
        self._look = look
        self._number = 0
        self._pending: list[Answer | Failure] = []
        self._pending_since = 0.0
        self._tokenizers: dict[str, Tokenizer] = {}
        self._writing = asyncio.Lock()
        self._rules = ShardRules("answers")
        self.unconfirmed = folder / UNCONFIRMED
        self.unconfirmed_count = 0
        """Answers and failures that were set aside."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordingError(f"the folder of shards cannot be made: {error}") from error

    def store_tokens_of(self, request_ids: Iterable[str], tokenizer: Tokenizer) -> None:
        """Store the completions of these requests as token ids, too."""
        self._tokenizers.update(dict.fromkeys(request_ids, tokenizer))

    def add(self, result: Answer | Failure) -> None:
        """Take a result; it is not acknowledged before it is written."""
        if not self._pending:
            self._pending_since = time.monotonic()
        self._pending.append(result)

    @property
    def pending_count(self) -> int:
        """Results that are not on the disk."""
        return len(self._pending)

    @property
    def is_due(self) -> bool:
        """Whether there is enough, or something old enough, to write."""
        if not self._pending:
            return False
        age = time.monotonic() - self._pending_since
        return len(self._pending) >= self._row_limit or age >= self._age_limit

    @property
    def is_full(self) -> bool:
        """Whether more is pending than should be, because nothing can be written as yet."""
        return len(self._pending) >= 4 * self._row_limit

    async def flush(self, look_seconds: float = SEEING_SECONDS) -> None:
        """Write what is pending, as far as its servers confirm it, and acknowledge it.

        What is not written stays pending, whatever happens.

        Raises:
            ModelChangedError: a server serves another model; what it has answered is set aside.
            RecordingError: the disk does not take it.
        """
        async with self._writing:
            taken, self._pending = self._pending, []
            try:
                confirmed, changed, error = await self._confirmed(taken, look_seconds)
                waiting = set(map(id, taken)).difference(map(id, confirmed), map(id, changed))
            except BaseException:
                self._pending = taken + self._pending
                raise
            if waiting:
                # From now on: to look again at once would be no use.
                self._pending_since = time.monotonic()
                self._pending = [one for one in taken if id(one) in waiting] + self._pending
            try:
                await self._write_results(confirmed)
                self._set_aside(changed)
                changed = []
            finally:
                # What is not set aside; nothing, unless an error is on its way.
                self._pending = changed + self._pending
            if error is not None:
                raise error

    async def abandon(self) -> None:
        """Write what can be confirmed at once, and set the rest aside: the run is over."""
        with contextlib.suppress(ModelChangedError):
            await self.flush(LAST_LOOK_SECONDS)
        async with self._writing:
            self._set_aside(self._pending)
            self._pending = []

    async def _confirmed(
        self, results: list[Answer | Failure], look_seconds: float
    ) -> tuple[list[Answer | Failure], list[Answer | Failure], ModelChangedError | None]:
        """What may be written, what may not, and why; what is in neither has to wait."""
        if self._look is None or not results:
            return results, [], None
        changed: dict[str, ModelChangedError] = {}
        unreachable = set()

        async def look(url: str) -> None:
            assert self._look is not None
            try:
                await self._look(url, look_seconds)
            except ModelChangedError as error:
                changed[url] = error
            except EndpointError:
                unreachable.add(url)

        async with asyncio.TaskGroup() as looks:
            for url in {one.endpoint for one in results}:
                looks.create_task(look(url))
        if not changed and not unreachable:
            return results, [], None
        return (
            [one for one in results if one.endpoint not in changed.keys() | unreachable],
            [one for one in results if one.endpoint in changed],
            next(iter(changed.values()), None),
        )

    async def _write_results(self, results: list[Answer | Failure]) -> None:
        answers = [result for result in results if isinstance(result, Answer)]
        failures = [result for result in results if isinstance(result, Failure)]
        try:
            if answers:
                columns = answer_columns(answers, self._session_id, self._tokenizers)
                broken = await self._write("answers", columns, self._rules)
                failures += [
                    Failure(one.request, one.endpoint, one.attempt_count, reason)
                    for one, reason in ((answers[index], why) for index, why in broken.items())
                ]
                self._acknowledge([one for index, one in enumerate(answers) if index not in broken])
                answers = []
            if failures:
                await self._write("failures", failure_columns(failures, self._session_id))
                self._acknowledge(failures)
                failures = []
        finally:
            # What is not on the disk; nothing, unless an error is on its way.
            self._pending = [*answers, *failures, *self._pending]

    def _acknowledge(self, results: Sequence[Answer | Failure]) -> None:
        if self._on_acknowledged is not None and results:
            self._on_acknowledged(list(results))

    def _set_aside(self, results: list[Answer | Failure]) -> None:
        """Keep answers for a person to look at, in files that are no shards."""
        answers = [result for result in results if isinstance(result, Answer)]
        if answers:
            self._write_aside(answers)
        self.unconfirmed_count += len(results)

    def _write_aside(self, answers: list[Answer]) -> None:
        table = pa.table(
            answer_columns(answers, self._session_id, self._tokenizers), schema=SCHEMAS["answers"]
        )
        path = self.unconfirmed / f"{self._session_id}.{self._number:06d}.parquet"
        self._number += 1
        try:
            self.unconfirmed.mkdir(exist_ok=True)
            clean_up(self.unconfirmed)
            with whole_file(path) as temporary:
                pq.write_table(table, temporary, compression="zstd")
        except (OSError, WarehouseError) as error:
            raise self._not_written(error) from error

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

    async def _write(
        self, kind: ShardKind, columns: Mapping[str, Any], rules: ShardRules | None = None
    ) -> dict[int, str]:
        """Write a shard; rows that break one of the rules are left out, and named by the reason."""
        number = self._number
        self._number += 1
        # In a thread: packing and the disk take no turn from the network. What is being written
        # is written to its end, or it would be neither acknowledged nor missing.
        writing = asyncio.create_task(
            asyncio.to_thread(self._write_now, number, kind, columns, rules)
        )
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            raise
        except (OSError, WarehouseError) as error:
            raise self._not_written(error) from error

    def _write_now(
        self, number: int, kind: ShardKind, columns: Mapping[str, Any], rules: ShardRules | None
    ) -> dict[int, str]:
        table = pa.table(dict(columns), schema=SCHEMAS[kind])
        broken = rules.broken_rows(table) if rules is not None else {}
        if broken:
            table = table.take([i for i in range(table.num_rows) if i not in broken])
        if table.num_rows:
            write_shard(self._folder, self._session_id, number, kind, table)
        return broken

    def _not_written(self, error: Exception) -> RecordingError:
        return RecordingError(f"{self._folder} cannot be written to: {error}")


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
