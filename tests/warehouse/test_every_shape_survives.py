"""Whatever `import` and `load` take survives `dbt build`; what cannot is refused with its line."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inference.errors import SamplesFileError
from inference.exchange.importing import import_samples
from tests.dbt_project import dbt_environment, run_dbt
from tests.inference.exchange.log_shapes import TIME, logs, write_log
from tests.warehouse.run_shapes import runs, write_rows
from warehouse.loading import load
from warehouse.shard_files import SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path

    from inference.exchange.importing import Imported

pytestmark = pytest.mark.slow(seconds=30)

# All examples are built at once, so that there is nothing to shrink to: a failing row is in the
# message of its test, and names its run.
many = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def import_generated(folder: Path, count: int) -> list[Imported]:
    """What was imported of `count` generated logs; that what was not names its file and line."""
    imported: list[Imported] = []
    refused: list[str] = []

    @settings(many, max_examples=count)
    @given(logs())
    def import_one(log: tuple[list[Any], Any]) -> None:
        name = f"log{len(imported) + len(refused)}"
        path = write_log(folder / "logs" / name, *log)
        try:
            imported.append(import_samples(path, folder / "shards", model_id=f"example/{name}"))
        except SamplesFileError as error:
            refused.append(str(error))
            return
        if len(imported) % 4 == 0:
            # The same log under another time.
            for file in path.parent.iterdir():
                file.rename(file.with_name(file.name.replace(TIME, "2027-01-01T00-00-00")))
            copy = path.with_name(path.name.replace(TIME, "2027-01-01T00-00-00"))
            again = import_samples(copy, folder / "shards", model_id=f"example/{name}")
            assert again == imported[-1]

    import_one()
    # The generator makes both.
    assert len(imported) > count / 3
    assert refused
    named = re.compile(r"logs/log\d+/(samples_.*(, line \d+|several forms)|results_.*\.json)")
    assert [message for message in refused if not named.search(message)] == []
    return imported


def load_generated(folder: Path, count: int) -> dict[str, int]:
    """The number of samples in each of `count` generated runs, whose shards are in `folder`."""
    numbers = iter(range(count * 10))
    all_rows: dict[Any, list[dict[str, Any]]] = {kind: [] for kind in SCHEMAS}
    samples: dict[str, int] = {}

    @settings(many, max_examples=count)
    @given(st.data())
    def make_one(data: st.DataObject) -> None:
        name = f"run{next(numbers)}"
        rows = data.draw(runs(name))
        for kind, some in rows.items():
            all_rows[kind] += some
        samples[name] = sum(request["variant_index"] == 0 for request in rows["requests"])

    make_one()
    write_rows(folder, all_rows)
    return samples


@pytest.fixture(scope="module")
def built(built_warehouse: Path, tmp_path_factory: pytest.TempPathFactory):
    """A warehouse with generated runs, and what should be in it."""
    folder = tmp_path_factory.mktemp("shapes")
    imported = import_generated(folder, 40)
    samples = load_generated(folder / "shards", 150)
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(built_warehouse.parent / name, folder)
    shutil.copytree(built_warehouse.parent / "target", folder / "target")
    assert load(folder / "shards", folder / "generations.duckdb").refused == []
    build = run_dbt(
        "build",
        *("--select", "source:raw+", "--exclude", "int_benchmark_scores+"),
        *("--exclude-resource-type", "unit_test"),
        env=dbt_environment(folder),
    )
    assert build.returncode == 0, build.stdout[-8_000:]
    return folder / "warehouse.duckdb", imported, samples


def rows(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_every_item_that_was_imported_is_in_the_scores(built):
    path, imported, _ = built
    expected = {
        (one.run_id, benchmark_id): count
        for one in imported
        for benchmark_id, count in one.item_counts.items()
    }
    query = (
        "select run_id, benchmark_id, item_count + unscored_count from marts.fct_run_scores"
        " where item_set = 'imported' and model_id like 'example/log%'"
    )
    assert {(run, name): count for run, name, count in rows(path, query)} == expected


def test_every_sample_that_was_loaded_has_a_row(built):
    path, _, samples = built
    query = (
        "select run_id, count(*) from marts.fct_item_scores where run_id like 'run%' group by all"
    )
    assert dict(rows(path, query)) == samples
