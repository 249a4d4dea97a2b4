"""A build is a function of the repository: not of the threads, nor of what was built before."""

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.dbt_project import SAID, dbt_environment, run_dbt


def marts(path: Path) -> dict[str, pd.DataFrame]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts' order by all"
        ).fetchall()
        assert len(names) >= 14
        return {
            name: connection.execute(f"select * from marts.{name} order by all").df()
            for (name,) in names
        }


def test_a_build_warns_of_nothing(built_warehouse: Path) -> None:
    said = (built_warehouse.parent / SAID).read_text(encoding="utf-8")
    assert "WARN=0 ERROR=0 SKIP=0" in said
    assert "deprecat" not in said.lower()


@pytest.mark.slow(seconds=25)
def test_builds_are_equal(built_warehouse: Path, tmp_path: Path) -> None:
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(built_warehouse.parent / name, tmp_path)
    # That one was built from nothing, by as many threads as the profile says.
    expected = marts(built_warehouse)
    for options in (("--threads", "1", "--full-refresh"), ("--threads", "4")):
        again = run_dbt("run", *options, env=dbt_environment(tmp_path))
        assert again.returncode == 0, again.stdout[-8_000:]
        assert "WARN=0 ERROR=0 SKIP=0" in again.stdout
        assert "deprecat" not in again.stdout.lower()
        found = marts(tmp_path / "warehouse.duckdb")
        assert expected.keys() == found.keys()
        for name, table in expected.items():
            # Keys come first in every table: sorted by all columns, the same rows are pairs.
            pd.testing.assert_frame_equal(found[name], table, rtol=1e-12, atol=1e-12, obj=name)
