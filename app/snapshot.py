"""Snapshot: the app's only door to data, open on one complete build for as long as a page needs it.

A build that is complete takes the warehouse's name by one rename (`warehouse.builds`), and who has
the old file open keeps it. So a page reads one build from its head to its end, stops no build, and
the next page sees the next one. A `Snapshot` says too what became of a build that was not
published. The questions that pages ask are in `app.marts`.
"""

from __future__ import annotations

import inspect
import os
import threading
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from app import marts
from warehouse.builds import BuildState, unpublished_build
from warehouse.connection import (
    check_warehouse_file,
    connect_pinned,
    pinned_cursor,
    warehouse_path,
)
from warehouse.errors import WarehouseError, WarehouseMissingError, WarehouseUnreadableError
from warehouse.storage import with_target

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd


class SourceState(StrEnum):
    """How the newest build stands to the snapshot that is served."""

    CURRENT = "current"
    """The snapshot is of it."""
    BUILDING = "building"
    """Another process is at it."""
    FAILED = "failed"
    """It was not complete."""
    INTERRUPTED = "interrupted"
    """It was stopped before it ended."""
    UNREADABLE = "unreadable"
    """The file that stands under the warehouse's name now cannot be served."""


class NoSnapshotError(WarehouseError):
    """There is no complete build to show yet. The message says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A warehouse as one complete build has left it."""

    source: Path
    """The warehouse file."""
    built_at: datetime
    """When the build it holds was finished, UTC without a zone."""
    source_state: SourceState
    source_detail: str
    """Why no newer build is served, as a sentence; empty if the snapshot is current."""
    connection: duckdb.DuckDBPyConnection
    """Open on the file that stood under the warehouse's name when the snapshot was taken."""

    def answer(self, query: str, *parameters: str | int) -> pd.DataFrame:
        """The answer to SQL about the snapshot, which the caller may change.

        Nulls come back as NaN, NaT or None. The answer is remembered: the file never changes.
        """
        return _answer(self.connection, query, *parameters).copy()


class _Opened(NamedTuple):
    """A published warehouse that is open."""

    identity: tuple[int, int, int]
    built_at: datetime
    connection: duckdb.DuckDBPyConnection


_lock = threading.Lock()

_opened: dict[Path, _Opened] = {}
"""The newest published build of each warehouse that was asked for."""


def open_snapshot(source: Path | None = None) -> Snapshot:
    """The newest published build of the warehouse at `source`.

    `source` is `warehouse_path()` unless given. Raises `NoSnapshotError` if none can be read and
    none was read before.
    """
    named = warehouse_path() if source is None else source
    # Path.resolve raises an error where links go round.
    source = Path(os.path.realpath(named))
    state, detail = _newest_build(source)
    with _lock:
        try:
            _open(source, named)
        except WarehouseError as error:
            if source not in _opened:
                raise NoSnapshotError(
                    f"There is no complete build to show yet. {detail or f'{error}.'}"
                    " Run `make run` (or `dbt build`) in the root of the project, then look again."
                ) from error
            state, detail = SourceState.UNREADABLE, f"{error}."
        opened = _opened[source]
    return Snapshot(source, opened.built_at, state, detail, opened.connection)


def _newest_build(source: Path) -> tuple[SourceState, str]:
    """What became of the newest build of the warehouse, as a sentence unless it was published."""
    build = unpublished_build(source)
    if build is None:
        return SourceState.CURRENT, ""
    began = f"`dbt {build.command}`, started at {build.started_at:%Y-%m-%d %H:%M} UTC,"
    match build.state:
        case BuildState.RUNNING:
            return SourceState.BUILDING, f"A {began} is at work."
        case BuildState.FAILED:
            return SourceState.FAILED, f"The last {began} was not published: {build.reason}."
        case BuildState.KILLED:
            return SourceState.INTERRUPTED, f"The last {began} was stopped before it ended."


def _open(source: Path, named: Path) -> None:
    """Have the published warehouse open, and no longer the one that stood there before."""
    check_warehouse_file(named)
    try:
        identity = _identity(source)
    except FileNotFoundError as error:
        raise WarehouseMissingError(f"There is no file {with_target(named)}") from error
    if source in _opened and _opened[source].identity == identity:
        return
    connection = connect_pinned(source)
    built_at = _built_at(source, connection)
    # Remembered answers of the old file would keep it open, and so on the disk.
    _answer.cache_clear()
    _opened[source] = _Opened(identity, built_at, connection)


def _identity(path: Path) -> tuple[int, int, int]:
    """What tells a published file from the one that it replaced."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _built_at(source: Path, connection: duckdb.DuckDBPyConnection) -> datetime:
    """When the build was finished; raises `WarehouseError` if some question has no answer."""
    newest = "select finished_at from meta.builds order by build_number desc limit 1"
    try:
        _bind_questions(connection)
        built_at: datetime = _answer(connection, newest)["finished_at"].iloc[0]
    except duckdb.Error as error:
        raise WarehouseUnreadableError(
            f"{source} has not what this version builds ({str(error).splitlines()[0]}): run"
            " `dbt build`"
        ) from error
    return built_at


class _Binding(NamedTuple):
    """Stands in for a snapshot: has DuckDB look for all that a question names, and not run it."""

    connection: duckdb.DuckDBPyConnection

    def answer(self, query: str, *parameters: str | int) -> pd.DataFrame:
        """DuckDB's plan of the query."""
        return _answer(self.connection, f"explain {query}", *parameters)


def _bind_questions(connection: duckdb.DuckDBPyConnection) -> None:
    """Raises `duckdb.Error` if a table or a column that some question is about is missing."""
    for _, question in inspect.getmembers(marts, inspect.isfunction):
        _, *parameters = inspect.signature(question).parameters.values()
        examples = (0 if parameter.annotation == "int" else "" for parameter in parameters)
        question(_Binding(connection), *examples)


# functools rather than st.cache_data, which does the same inside a Streamlit server but warns
# outside of one, where the terminal report reads through this module.
@lru_cache(maxsize=256)
def _answer(
    connection: duckdb.DuckDBPyConnection, query: str, *parameters: str | int
) -> pd.DataFrame:
    """The answer of an open warehouse. It is shared between callers: never change it."""
    with pinned_cursor(connection) as cursor:
        return cursor.execute(query, parameters).df()
