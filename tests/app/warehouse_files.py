"""Warehouse files without dbt: as small as the app accepts, and other processes that hold them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from app.snapshot import READ_MARTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUILDS = """
    create table if not exists meta.builds (
        invocation_id varchar, started_at timestamp, finished_at timestamp,
        is_full boolean, is_success boolean, node_count integer, failed_count integer
    )
"""


def write_build(
    path: Path,
    panel_id: str,
    *,
    is_success: bool | None = True,
    is_full: bool = True,
    is_finished: bool = True,
) -> None:
    """Write a build into the file at `path`: `panel_id` is what it leaves in the marts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(path) as connection:
        connection.execute("create schema if not exists marts; create schema if not exists meta")
        for table in READ_MARTS:
            connection.execute(f"create table if not exists marts.{table} (panel_id varchar)")
        connection.execute(
            "create or replace table marts.dim_panels as select ? as panel_id, 'one' as "
            "description, 1 as model_count, 1 as lineage_count, 1 as benchmark_count, "
            "0 as missing_cell_count",
            [panel_id],
        )
        connection.execute(BUILDS)
        connection.execute(
            """
            insert into meta.builds
            select
                panel_id,
                timestamp '2026-01-01' + interval (build_count) hour,
                case when is_finished
                    then timestamp '2026-01-01 00:05' + interval (build_count) hour end,
                is_full, is_success, 3, case when is_success then 0 else 1 end
            from (
                select
                    $1 as panel_id, $2::boolean as is_finished, $3::boolean as is_full,
                    $4::boolean as is_success, (select count(*) from meta.builds) as build_count
            )
            """,
            [panel_id, is_finished, is_full, is_success],
        )


@contextmanager
def another_process(path: Path, statement: str, *, read_only: bool) -> Iterator[subprocess.Popen]:
    """A second process that has run `statement` on the file at `path` and keeps it open."""
    code = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1], read_only=sys.argv[3] == 'True')\n"
        "connection.execute(sys.argv[2])\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
        "connection.close()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), statement, str(read_only)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "open\n":
            _, errors = process.communicate(timeout=30)
            raise AssertionError(f"another process could not open {path}: {errors}")
        yield process
    finally:
        process.communicate(timeout=30)
