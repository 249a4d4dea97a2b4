"""Measuring: what SQL cannot say of completions, once for each of them."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from inference.measuring import programs, translations
from inference.provenance import new_session_id
from warehouse.loading import load
from warehouse.raw_store import open_raw_store
from warehouse.shard_files import SCHEMAS, write_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from warehouse.shard_files import ShardKind


class Work(NamedTuple):
    """A completion that is not measured yet."""

    request_id: str
    item_hash: str
    measure_id: str
    completion: str
    target: str
    fields: str
    """The item's fields, as JSON."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A kind of measuring and where its results go."""

    shard_kind: ShardKind
    table: str
    scorers: tuple[str, ...]
    """Scorers that need it; `measure_id` is the scorer."""
    version: int
    chunk: int
    """Completions that are measured before their results are written."""
    results: Callable[[list[Work]], Iterator[Any]]
    """A dataclass for each; its fields are columns of the table."""
    is_held: str = "true"
    """SQL over `measured`, a row of the table: whether it need not be measured again."""


MEASURES = (
    Measure(
        "translations",
        "translation_statistics",
        ("bleu", "bleu_nagisa"),
        translations.MEASURE_VERSION,
        4096,
        lambda work: translations.all_statistics(
            [(one.measure_id, one.completion, one.target) for one in work],  # type: ignore[misc]
            os.cpu_count() or 1,
        ),
    ),
    Measure(
        "programs",
        "program_outcomes",
        ("program_passes",),
        programs.MEASURE_VERSION,
        512,
        lambda work: programs.outcomes((one.fields, one.completion) for one in work),
        is_held="measured.outcome != 'sandbox_error'",
    ),
)


def measure(
    shards: Path,
    store: Path,
    on_measured: Callable[[Measure, int, int], None],
    on_refused: Callable[[str], None] = lambda _: None,
    on_unscored: Callable[[str], None] = lambda _: None,
) -> dict[str, int]:
    """Measure what is in the raw store and not measured, and bring the results into it.

    `on_measured` is told the measure, how many are done, and how many there are to do;
    `on_refused` gets a message about each shard that could not be loaded, `on_unscored` one about
    programs that the machine did not run, which have no score until another call. Results are
    written every few thousand, so that a call that is killed is gone on with by the next.
    Returns the number of completions measured, by table.

    Raises:
        SandboxError: programs cannot be run safely on this machine; all else has been measured.
        RawStoreBusyError: the raw store is in use for too long.
    """
    shards.mkdir(parents=True, exist_ok=True)
    _load(shards, store, on_refused)
    done: dict[str, int] = {}
    session = new_session_id()
    number = 0
    try:
        for one in MEASURES:
            work = missing(store, one)
            total = len(work)
            done[one.table] = 0
            pending = iter(work)
            while chunk := list(islice(pending, one.chunk)):
                table = _table(one, chunk)
                write_shard(shards, session, number, one.shard_kind, table)
                number += 1
                done[one.table] += len(chunk)
                for message in _not_run(table):
                    on_unscored(message)
                on_measured(one, done[one.table], total)
    finally:
        _load(shards, store, on_refused)
    return done


def _not_run(table: pa.Table) -> Iterator[str]:
    """A sentence for each reason that programs were not run for, naming the first of them."""
    if "outcome" not in table.column_names:
        return
    by_reason: dict[str, list[str]] = {}
    for row in table.select(["request_id", "outcome", "error_head"]).to_pylist():
        if row["outcome"] == "sandbox_error":
            by_reason.setdefault(row["error_head"], []).append(row["request_id"])
    for reason, requests in by_reason.items():
        yield (
            f"{len(requests)} programs were not run, the first of them that of request"
            f" {requests[0]}: {reason}"
        )


def _load(shards: Path, store: Path, on_refused: Callable[[str], None]) -> None:
    report = load(shards, store)
    for message in report.refused:
        on_refused(message)


def missing(store: Path, one: Measure) -> list[Work]:
    """Completions that need the measure in its version and do not have it."""
    with open_raw_store(store, read_only=True) as connection:
        rows = connection.execute(
            f"""
            select distinct
                run_requests.request_id, run_requests.item_hash, run_requests.scorer,
                generations.completion_text, items.target, items.fields
            from raw.run_requests
            inner join raw.generations using (request_id)
            inner join raw.items using (item_hash)
            where run_requests.scorer in (select unnest(?))
                and run_requests.purpose = 'answer'
                and not exists (
                    select 1 from raw.{one.table} as measured
                    where measured.request_id = run_requests.request_id
                        and measured.item_hash = run_requests.item_hash
                        and measured.measure_id = run_requests.scorer
                        and measured.measure_version = ?
                        and {one.is_held}
                )
            order by run_requests.request_id, run_requests.item_hash""",
            [list(one.scorers), one.version],
        ).fetchall()
    return [Work(*row) for row in rows]


def _table(one: Measure, work: list[Work]) -> pa.Table:
    now = datetime.now(UTC)
    rows = [
        {
            "request_id": each.request_id,
            "item_hash": each.item_hash,
            "measure_id": each.measure_id,
            "measure_version": one.version,
            **asdict(result),
            "measured_at": now,
            # Of programs; other measures have no such column.
            "is_recorded": False,
        }
        for each, result in zip(work, one.results(work), strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMAS[one.shard_kind])
