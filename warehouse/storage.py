"""Storage: the format in which DuckDB files are written, whatever version of DuckDB writes them."""

from __future__ import annotations

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


def connect_for_writing(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that may write the DuckDB file at `path`, which is made if it is not there.

    Raises:
        duckdb.Error: the file cannot be opened, or another process has it open.
    """
    return duckdb.connect(path, config=dict(WRITING))
