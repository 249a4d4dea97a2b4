"""Snapshot: the app's only door to data, open on the last complete build and never on another.

DuckDB lets one process write a file, or many read it. A page that kept the warehouse open would
stop `dbt build`, and a page that opened it in the middle of a build would find nothing or half of
it. So pages read a private copy, a *snapshot*. `open_snapshot` looks whether the warehouse file
has changed and, if its newest build is complete, copies the file while holding it open for
reading (so that no build can start under the copy), which is the only time the app touches it.
Otherwise it goes on serving the snapshot it has and says why in `Snapshot.source_state`.

Snapshots are kept in `.app/` beside the warehouse file rather than in the system's temporary
directory: that is the disk meant for data of this size (a temporary directory is often memory),
nothing tidies it away while the newest build is a failed one, and it goes when the data go. The
two newest are kept, because a page in another process may still be reading the older one.

The questions that pages ask are in `app.marts`.
"""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from warehouse.connection import connect_read_only, warehouse_path
from warehouse.errors import WarehouseBusyError, WarehouseError
from warehouse.whole_files import whole_file

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

READ_MARTS = (
    "dim_benchmarks",
    "dim_models",
    "dim_panel_models",
    "dim_panels",
    "fct_benchmark_correlations",
    "fct_benchmark_scores",
    "fct_component_loadings",
    "fct_component_variances",
    "fct_model_abilities",
    "fct_panel_scores",
    "fct_run_scores",
    "fct_scaling_curves",
    "fct_scaling_fits",
    "fct_scaling_points",
    "fct_set_aside",
    "fct_token_budgets",
)
"""The tables the app reads. A warehouse that lacks one of them is not adopted."""

KEPT_SNAPSHOT_COUNT = 2
ABANDONED_COPY_SECONDS = 3600
"""A copy not finished after this long was left behind by a process that died."""


class SourceState(StrEnum):
    """How the warehouse file stands to the snapshot that is served."""

    CURRENT = "current"
    """The snapshot is a copy of it."""
    BUILDING = "building"
    """Another process is writing it."""
    FAILED = "failed"
    """A step of its newest build failed."""
    INTERRUPTED = "interrupted"
    """Its newest build was stopped before it finished."""
    INCOMPLETE = "incomplete"
    """It lacks a table the app reads, or the record of builds."""
    MISSING = "missing"
    """There is no such file."""
    UNREADABLE = "unreadable"
    """It cannot be opened or copied."""


class NoSnapshotError(WarehouseError):
    """There is no complete build to show yet. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of a warehouse that one complete build has left."""

    path: Path
    """The copy. Its content never changes, so the path identifies what is read."""
    source: Path
    """The warehouse file it was copied from."""
    built_at: datetime
    """When the build it holds was finished, UTC without a zone."""
    source_state: SourceState
    source_detail: str
    """Why the warehouse file is not served, as a sentence; empty if the snapshot is current."""

    def answer(self, query: str, *parameters: str | int) -> pd.DataFrame:
        """The answer to SQL about the snapshot, which the caller may change.

        Nulls come back as NaN, NaT or None. The answer is remembered: the file never changes.
        """
        return _answer(self.path, query, *parameters).copy()


class _Signature(NamedTuple):
    """What tells one state of a file from another without reading it."""

    modified_ns: int
    size: int
    log_modified_ns: int | None
    """Of the write-ahead log beside the file; None without one."""

    @property
    def file_name(self) -> str:
        """Name of the snapshot of a file in this state."""
        return f"{self.modified_ns}-{self.size}.duckdb"


class _Refusal(NamedTuple):
    """Why a warehouse file was not adopted."""

    state: SourceState
    detail: str


_adoption_lock = threading.Lock()
"""One copy at a time: closing any handle of a file drops the locks a process has on it (POSIX)."""

_refusals: dict[tuple[Path, _Signature], _Refusal] = {}
"""Files already looked at and refused, so that they are opened once and not at every click."""


def open_snapshot(source: Path | None = None) -> Snapshot:
    """The last complete build of the warehouse at `source`, adopting a new one if there is one.

    `source` is `warehouse_path()` unless given. Raises `NoSnapshotError` if no complete build was
    ever seen.
    """
    source = (warehouse_path() if source is None else source).resolve()
    folder = source.parent / ".app" / source.name
    with _adoption_lock:
        adopted = _adopt(source, folder)
    if isinstance(adopted, Path):
        return Snapshot(adopted, source, _built_at(adopted), SourceState.CURRENT, "")
    earlier = _by_age(folder)
    if not earlier:
        raise NoSnapshotError(
            f"There is no complete build to show yet. {adopted.detail} "
            "Run `make run` (or `dbt build`) in the root of the project, then look again."
        )
    return Snapshot(earlier[-1], source, _built_at(earlier[-1]), adopted.state, adopted.detail)


def _signature(path: Path) -> _Signature:
    stat = path.stat()
    try:
        log_modified_ns = path.with_name(path.name + ".wal").stat().st_mtime_ns
    except FileNotFoundError:
        log_modified_ns = None
    return _Signature(stat.st_mtime_ns, stat.st_size, log_modified_ns)


def _by_age(folder: Path) -> list[Path]:
    """The snapshots in the folder, the one adopted last at the end."""
    return sorted(folder.glob("*.duckdb"), key=lambda path: path.stat().st_mtime_ns)


def _adopt(source: Path, folder: Path) -> Path | _Refusal:
    """The snapshot of the source as it stands, copied now if need be, or why there is none."""
    try:
        signature = _signature(source)
    except OSError:
        return _Refusal(SourceState.MISSING, f"There is no file {source}.")
    # A file with a log is being written, or was when its writer died.
    if signature.log_modified_ns is None and (folder / signature.file_name).exists():
        return folder / signature.file_name
    if (source, signature) in _refusals:
        return _refusals[source, signature]
    try:
        with connect_read_only(source) as connection:
            # From here on nobody can write the file, so this is the state that gets copied.
            signature = _signature(source)
            refusal = _reason_to_refuse(source, signature, connection)
            if refusal is None:
                return _copy(source, folder, signature)
    except WarehouseBusyError:
        # Not remembered: the writer may finish without changing size or time once more.
        return _Refusal(SourceState.BUILDING, f"A build is writing {source} now.")
    except OSError as error:
        return _Refusal(
            SourceState.UNREADABLE,
            f"{source} cannot be copied into {folder}: {error}.",
        )
    except (WarehouseError, duckdb.Error) as error:
        return _Refusal(SourceState.UNREADABLE, f"{source} cannot be read: {error}")
    _refusals[source, signature] = refusal
    return refusal


def _reason_to_refuse(
    source: Path, signature: _Signature, connection: duckdb.DuckDBPyConnection
) -> _Refusal | None:
    """Why the warehouse is not a complete build, or None if it is one."""
    # A writer that ends in an orderly way folds its write-ahead log into the file. A log without
    # a writer is what a killed build leaves, which has no chance to record that it failed.
    if signature.log_modified_ns is not None:
        return _Refusal(
            SourceState.INTERRUPTED, f"The last build of {source} was stopped before it finished."
        )
    tables = {
        name
        for (name,) in connection.execute(
            "select table_name from information_schema.tables "
            "where table_schema = 'marts' or (table_schema = 'meta' and table_name = 'builds')"
        ).fetchall()
    }
    missing = sorted({*READ_MARTS, "builds"} - tables)
    if missing:
        return _Refusal(
            SourceState.INCOMPLETE,
            f"{source} has no {', '.join(missing)}: no build of it has been completed.",
        )
    # A build of a selection leaves the rest as it was: it can spoil a warehouse, not complete it.
    builds_since_full = connection.execute(
        """
        select is_success, started_at, finished_at, failed_count, node_count
        from meta.builds
        where started_at >= (select max(started_at) from meta.builds where is_full)
        order by started_at desc
        """
    ).fetchall()
    if not builds_since_full:
        return _Refusal(SourceState.INCOMPLETE, f"No build of {source} has been completed.")
    for is_success, started_at, finished_at, failed_count, node_count in builds_since_full:
        if finished_at is None:
            return _Refusal(
                SourceState.INTERRUPTED,
                f"The build started at {started_at:%Y-%m-%d %H:%M} UTC was stopped before it "
                "finished.",
            )
        if not is_success:
            return _Refusal(
                SourceState.FAILED,
                f"The build started at {started_at:%Y-%m-%d %H:%M} UTC did not succeed: "
                f"{failed_count} of {node_count} steps failed or were skipped.",
            )
    return None


def _copy(source: Path, folder: Path, signature: _Signature) -> Path:
    """Copy the source into the folder, so that a snapshot is either there whole or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    snapshot = folder / signature.file_name
    with whole_file(snapshot) as unfinished:
        # Not copy2: the time of the copy says which snapshot was adopted last.
        shutil.copyfile(source, unfinished)
    for old in _by_age(folder)[:-KEPT_SNAPSHOT_COUNT]:
        old.unlink(missing_ok=True)
    for abandoned in folder.glob(".*.tmp"):
        if time.time() - abandoned.stat().st_mtime > ABANDONED_COPY_SECONDS:
            abandoned.unlink(missing_ok=True)
    return snapshot


def _built_at(path: Path) -> datetime:
    newest = "select finished_at from meta.builds order by started_at desc limit 1"
    finished_at: datetime = _answer(path, newest)["finished_at"].iloc[0]
    return finished_at


# functools rather than st.cache_data, which does the same inside a Streamlit server but warns
# outside of one, where the terminal report reads through this module.
@lru_cache(maxsize=256)
def _answer(path: Path, query: str, *parameters: str | int) -> pd.DataFrame:
    """The answer of the snapshot at `path`. It is shared between callers: never change it."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query, parameters).df()
