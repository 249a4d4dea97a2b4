"""Storage: what a DuckDB file is opened for writing with, and what can be none."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

STORAGE_VERSION = "v1.5.0"
"""The oldest DuckDB that `pyproject.toml` admits reads it. Left to itself, each writes new files in
a format of its own choice, and 2.0 in one that 1.5 cannot open."""

WRITING = {"storage_compatibility_version": STORAGE_VERSION}
"""What a connection that may make a file is configured with; a file that is there keeps the format
that it was made in."""

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""What stands where a file should, by its type."""


def connect_for_writing(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that may write the DuckDB file at `path`, which is made if it is not there.

    Raises:
        duckdb.Error: the file cannot be opened, or another process has it open.
    """
    return duckdb.connect(path, config=dict(WRITING))


def why_no_database(path: Path) -> str | None:
    """Why what stands at `path` can be no database, as a sentence without its end.

    Null if it may be one, and where nothing stands. To be asked before DuckDB is, which waits for
    ever for the other end of a pipe, and before links are followed, which may go round.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"{with_target(path)} cannot be opened as a DuckDB database: {error.strerror}"
    if kind not in KINDS:
        return None
    return f"{with_target(path)} is {KINDS[kind]}, and no DuckDB database"


def with_target(path: Path) -> str:
    """The path as it is written in messages, with what it is a link to."""
    return f"{path} (a link to {path.readlink()})" if path.is_symlink() else str(path)
