"""A build is a function of the repository: not of the threads, nor of what was built before."""

import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from tests.dbt_project import dbt_environment, run_dbt


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


@pytest.mark.slow(seconds=50)
def test_builds_are_equal(built_warehouse: Path, tmp_path: Path) -> None:
    environment = dbt_environment(tmp_path)
    shutil.copy(built_warehouse.parent / "generations.duckdb", tmp_path)
    expected = marts(built_warehouse)
    # The second build starts from the first one's file.
    for threads in ("1", "4"):
        build = run_dbt("build", "--threads", threads, env=environment)
        assert build.returncode == 0, build.stdout[-8_000:]
        assert "WARN=0 ERROR=0 SKIP=0" in build.stdout
        assert "deprecat" not in build.stdout.lower()
        found = marts(tmp_path / "warehouse.duckdb")
        assert expected.keys() == found.keys()
        for name, table in expected.items():
            # Keys come first in every table: sorted by all columns, the same rows are pairs.
            pd.testing.assert_frame_equal(found[name], table, rtol=1e-12, atol=1e-12, obj=name)
