"""Storage: a file that one version of DuckDB has written is read and written on by the other.

The other version is that of the Python in EVALWH_OTHER_DUCKDB_PYTHON, an environment of its own:

    python -m venv other && other/bin/pip install 'duckdb==2.0.*'
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.dbt_project import REPOSITORY
from warehouse.raw_store import open_raw_store
from warehouse.storage import STORAGE_VERSION, connect_for_writing

if TYPE_CHECKING:
    from pathlib import Path

OTHER = os.environ.get("EVALWH_OTHER_DUCKDB_PYTHON", "")

WRITE = """
import os, sys
from pathlib import Path
from warehouse.storage import connect_for_writing

connection = connect_for_writing(Path(sys.argv[1]))
connection.execute(
    "create table if not exists kept (id integer primary key, said varchar not null, fields json)"
)
before = connection.execute("select count(*), count(distinct said) from kept").fetchone()
connection.execute(
    "insert into kept select range + ?, 'text ' || (range + ?), '{}' from range(5000)",
    [before[0], before[0]],
)
print(*before, flush=True)
if sys.argv[2] == "killed":
    # What was committed is in the log beside the file only.
    os._exit(0)
connection.close()
"""


def write(python: str, path: Path, end: str) -> str:
    """Rows, and different texts, that were there before 5000 more were written."""
    said = subprocess.run(
        [python, "-c", WRITE, str(path), end],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert said.returncode == 0, said.stderr
    return said.stdout.strip()


def format_of(connection) -> str:
    ((tags,),) = connection.execute(
        "select tags from duckdb_databases() where database_name = current_database()"
    ).fetchall()
    return tags["storage_version"]


def test_the_raw_store_is_written_in_the_format_that_every_version_reads(tmp_path):
    with open_raw_store(tmp_path / "generations.duckdb") as connection:
        assert format_of(connection) == f"{STORAGE_VERSION}+"


def test_a_file_of_an_earlier_format_is_still_written(tmp_path):
    path = tmp_path / "old.duckdb"
    with connect_for_writing(tmp_path / "new.duckdb") as connection:
        connection.execute(f"attach '{path}' as old (storage_version 'v1.0.0')")
        connection.execute("create table old.kept as select 1 as id")
    with connect_for_writing(path) as connection:
        assert format_of(connection) == "v1.0.0+"
        connection.execute("insert into kept values (2)")
        assert connection.execute("select sum(id) from kept").fetchall() == [(3,)]


@pytest.mark.skipif(not OTHER, reason="EVALWH_OTHER_DUCKDB_PYTHON names no Python")
@pytest.mark.parametrize("end", ["closed", "killed"])
@pytest.mark.parametrize("is_other_first", [False, True], ids=["this-first", "other-first"])
def test_each_version_reads_and_goes_on_with_what_the_other_wrote(is_other_first, end, tmp_path):
    path = tmp_path / "kept.duckdb"
    first, second = (OTHER, sys.executable) if is_other_first else (sys.executable, OTHER)
    for number, python in enumerate((first, second, first, second)):
        assert write(python, path, end) == f"{number * 5000} {number * 5000}"
