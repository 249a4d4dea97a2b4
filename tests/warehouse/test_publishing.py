"""Publishing: what readers see of `dbt build` while it is at work, killed, failing or repeated."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pytest

from app import marts
from app.snapshot import SourceState, open_snapshot
from tests.dbt_project import copy_project, dbt_environment, run_dbt, run_dbt_commands, start_dbt
from warehouse.build_plugin import STORAGE_VERSION
from warehouse.builds import BuildState, building_path, record_path, unpublished_build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow(seconds=140)

KILL_COUNT = int(os.environ.get("EVALWH_BUILD_KILLS", "4"))

NEW_CORRELATIONS = (
    *("build", "--select", "published_scores+,+fct_benchmark_correlations"),
    "published_scores+,+fct_panel_scores",
)
"""A build of what lies between a score and what is `SEEN` of it, and of nothing else."""

SEEN = """
    select
        (select max(build_number) from meta.builds),
        (select sum(hash(correlations)) from marts.fct_benchmark_correlations as correlations),
        (select sum(hash(scores)) from marts.fct_panel_scores as scores)
"""
"""The number of a build, and what it made of the scores and of their correlations."""

READER = """
import sys, time, duckdb
path, query = sys.argv[1:]
print("reading", flush=True)
while True:
    with duckdb.connect(path, read_only=True) as connection:
        print(*connection.execute(query).fetchone(), flush=True)
    time.sleep(0.1)
"""


class World(NamedTuple):
    """A built warehouse with a project whose seeds may be changed."""

    project: Path
    path: Path
    environment: dict[str, str]

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        said = run_dbt(*arguments, project_dir=self.project, env=self.environment)
        assert "Traceback" not in said.stdout
        return said

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return start_dbt(*arguments, project_dir=self.project, env=self.environment)

    def change_a_score(self, score: float) -> None:
        """Have the next build find another score, and so other correlations."""
        seed = self.project / "warehouse" / "seeds" / "published_scores.csv"
        head, row, *rows = seed.read_text(encoding="utf-8").splitlines(keepends=True)
        *key, _, note = row.split(",")
        assert key == ["swallow_evaluation_2024_06", ELYZA, "jcommonsenseqa"]
        seed.write_text("".join([head, ",".join([*key, str(score), note]), *rows]), "utf-8")

    def change_the_rules(self, old: str, new: str, name: str) -> None:
        file = self.project / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def seen(self) -> tuple[int, ...]:
        with duckdb.connect(self.path, read_only=True) as connection:
            return connection.execute(SEEN).fetchall()[0]

    def left_beside(self) -> set[str]:
        prefix = self.path.name
        return {one.name for one in self.path.parent.glob(f"{prefix}*")} - {
            prefix,
            record_path(self.path).name,
        }


ELYZA = "elyza/ELYZA-japanese-Llama-2-7b"


@pytest.fixture
def world(built_warehouse: Path, tmp_path: Path) -> World:
    """A copy of the build that all tests share, with nothing of a build beside it."""
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(built_warehouse.parent / name, tmp_path)
    shutil.copytree(built_warehouse.parent / "target", tmp_path / "target")
    return World(copy_project(tmp_path), tmp_path / "warehouse.duckdb", dbt_environment(tmp_path))


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, str]:
    """A world with a seed and nothing else, not even a folder before; and what dbt said of it."""
    folder = tmp_path_factory.mktemp("seeded")
    path = folder / "not" / "there" / "warehouse.duckdb"
    environment = dbt_environment(folder) | {"EVALWH_WAREHOUSE": str(path)}
    world = World(copy_project(folder), path, environment)
    said = world.dbt("seed", "--select", "panels")
    assert said.returncode == 0, said.stdout[-4000:]
    return world, said.stdout


def wait_for_build(world: World, process: subprocess.Popen[str]) -> None:
    """Until the build at work has its file."""
    deadline = time.monotonic() + 60
    while True:
        build = unpublished_build(world.path)
        if build is not None and build.state is BuildState.RUNNING:
            return
        assert process.poll() is None, process.stdout
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def reader(world: World) -> Iterator[subprocess.Popen[str]]:
    """A process that opens the warehouse and reads it, again and again."""
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(world.path), SEEN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        yield process
        process.kill()


def kill_after(process: subprocess.Popen[str], share: float) -> None:
    """Kill the build when that share of its nodes is done, or a moment after it began."""
    done_count = 0
    for line in process.stdout:
        found = re.search(r" \d+ of (\d+) (START)?", line)
        done_count += found is not None and not found[2]
        if done_count and done_count >= share * int(found[1]):
            break
    process.kill()
    process.communicate()


def test_killed_builds_stop_no_reader_and_are_never_seen(world, tmp_path):
    before = world.seen()
    written = world.path.read_bytes()
    world.change_a_score(0.25)
    moments = random.Random(20260101)
    seen_by_reader = tmp_path / "seen.txt"
    with (
        seen_by_reader.open("w") as output,
        subprocess.Popen(
            [sys.executable, "-c", READER, str(world.path), SEEN],
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as reader,
    ):
        try:
            for number in range(KILL_COUNT):
                with world.start("build") as process:
                    # Spread over the whole build, wherever its time goes.
                    kill_after(process, (number + moments.random()) / KILL_COUNT)
                assert unpublished_build(world.path).state is BuildState.KILLED
                assert world.path.read_bytes() == written
            built = world.dbt("build")
            assert built.returncode == 0, built.stdout[-4000:]
            after = world.seen()
            time.sleep(1)
        finally:
            is_reading = reader.poll() is None
            reader.kill()
    assert is_reading, seen_by_reader.read_text()[-2000:]
    # The last line may be cut off by the reader's end.
    lines = seen_by_reader.read_text().splitlines()[1:-1]
    assert set(lines) == {" ".join(map(str, before)), " ".join(map(str, after))}
    assert (after[0], len(set(before) & set(after))) == (before[0] + 1, 0)
    assert world.left_beside() == set()


def test_a_build_is_published_under_open_readers_who_keep_what_they_read(world):
    snapshot = open_snapshot(world.path)
    assert snapshot.source_state is SourceState.CURRENT
    world.change_a_score(0.25)
    before = world.seen()
    correlations = marts.correlations(snapshot, "complete")
    with duckdb.connect(world.path, read_only=True) as notebook:
        process = world.start(*NEW_CORRELATIONS)
        wait_for_build(world, process)
        # It cannot end before another one has come.
        process.send_signal(signal.SIGSTOP)
        try:
            assert open_snapshot(world.path).source_state is SourceState.BUILDING
            second = world.dbt("build")
        finally:
            process.send_signal(signal.SIGCONT)
        stdout, _ = process.communicate(timeout=600)
        assert process.returncode == 0, stdout[-4000:]
        assert notebook.execute(SEEN).fetchall() == [before]
    assert "another dbt is building" in second.stdout
    assert "Published" not in second.stdout
    assert second.returncode != 0
    assert "Published" in stdout.splitlines()[-1]
    newer = open_snapshot(world.path)
    assert newer.source_state is SourceState.CURRENT
    # A page that is half written goes on with the build that it began with.
    assert marts.benchmarks(snapshot).equals(marts.benchmarks(newer))
    assert marts.builds(snapshot)["build_number"].max() == before[0]
    assert marts.builds(newer)["build_number"].max() == before[0] + 1
    assert not marts.correlations(newer, "complete").equals(correlations)


def test_a_failed_build_is_not_published_and_a_retry_finishes_it(world):
    written = world.path.read_bytes()
    world.change_a_score(2.5)
    failed = world.dbt(*NEW_CORRELATIONS)
    assert failed.returncode == 1
    last = failed.stdout.splitlines()[-1]
    assert "Not published: " in last
    assert "failed or were skipped" in last
    assert "warehouse.duckdb.building" in last
    assert "dbt retry" in last
    assert world.path.read_bytes() == written
    snapshot = open_snapshot(world.path)
    assert snapshot.source_state is SourceState.FAILED
    assert "failed or were skipped" in snapshot.source_detail
    with duckdb.connect(building_path(world.path), read_only=True) as connection:
        failures = connection.execute(
            "select sum(estimated_size) from duckdb_tables() where schema_name = 'test_failures'"
        ).fetchall()
    assert failures[0][0] > 0
    # Its cause is still there.
    assert world.dbt("retry").returncode == 1
    assert world.path.read_bytes() == written
    # Not what was built before is at fault now, but what is to be read.
    world.change_a_score(0.25)
    assert world.dbt("seed", "-s", "published_scores").returncode == 0
    again = world.dbt(*NEW_CORRELATIONS)
    assert again.returncode == 0, again.stdout[-4000:]
    assert open_snapshot(world.path).source_state is SourceState.CURRENT


def test_a_retry_of_what_failed_is_published_with_what_had_not(world):
    number, *made_of_scores = world.seen()
    world.change_a_score(0.25)
    model = "models/marts/dim_panels.sql"
    world.change_the_rules("select * from final", "select * from finale", model)
    failed = world.dbt(*NEW_CORRELATIONS, "dim_panels")
    assert failed.returncode == 1
    assert "ERROR=1" in failed.stdout
    assert world.seen() == (number, *made_of_scores)
    world.change_the_rules("select * from finale", "select * from final", model)
    retried = world.dbt("retry")
    assert retried.returncode == 0, retried.stdout[-4000:]
    assert "Published" in retried.stdout.splitlines()[-1]
    assert not set(made_of_scores) & set(world.seen())
    with duckdb.connect(world.path, read_only=True) as connection:
        assert connection.execute("from meta.unfinished_nodes").fetchall() == []
        rows = connection.execute(
            "select build_number, is_success from meta.builds order by build_number desc limit 2"
        ).fetchall()
    assert rows == [(number + 2, True), (number + 1, False)]
    nothing_left = world.dbt("retry")
    assert "nothing to retry" in nothing_left.stdout or "Nothing to do" in nothing_left.stdout


def test_a_selection_is_published_if_it_succeeds_on_a_complete_build(world):
    number, *_ = world.seen()
    built = world.dbt("build", "--select", "dim_panels")
    assert built.returncode == 0
    assert "Published" in built.stdout.splitlines()[-1]
    with duckdb.connect(world.path, read_only=True) as connection:
        newest = connection.execute(
            "select build_number, is_full, command from meta.builds order by 1 desc limit 1"
        ).fetchall()
    assert newest == [(number + 1, False, "build")]
    world.change_the_rules(
        "select * from final", "select * from finale", "models/marts/dim_panels.sql"
    )
    assert world.dbt("run", "--select", "dim_panels").returncode == 1
    assert world.seen()[0] == number + 1


def test_builds_are_ordered_by_their_number_and_not_by_the_clock(world):
    number, *_ = world.seen()
    with duckdb.connect(world.path) as connection:
        connection.execute(
            "update meta.builds set started_at = started_at + interval 100 year,"
            " finished_at = finished_at + interval 100 year"
        )
    assert open_snapshot(world.path).built_at.year > 2100
    assert world.dbt("build", "--select", "dim_panels").returncode == 0
    snapshot = open_snapshot(world.path)
    assert snapshot.source_state is SourceState.CURRENT
    assert snapshot.built_at.year < 2100
    assert list(marts.builds(snapshot)["build_number"])[:2] == [number + 1, number]


def test_a_test_that_reports_what_was_set_aside_fails_and_the_build_is_published(world):
    number, *_ = world.seen()
    test = world.project / "tests" / "warehouse" / "assert_nothing_was_set_aside.sql"
    test.write_text(
        "{{ config(meta={'reports': true}) }}\nselect panel_id from {{ ref('dim_panels') }}\n"
    )
    built = world.dbt("build", "--select", "dim_panels")
    assert built.returncode == 1
    assert "assert_nothing_was_set_aside: " in built.stdout
    assert "Published" in built.stdout.splitlines()[-1]
    assert world.seen()[0] == number + 1
    test.write_text("select panel_id from {{ ref('dim_panels') }}\n")
    assert "Not published" in world.dbt("build", "--select", "dim_panels").stdout
    assert world.seen()[0] == number + 1


def test_tables_without_rows_are_not_published(world):
    before = world.seen()
    built = world.dbt("run", "--empty", "--select", "fct_panel_scores")
    assert built.returncode == 0
    assert "Not published: tables without rows" in built.stdout
    assert world.seen() == before
    assert world.left_beside() == set()


def test_dbt_makes_the_folder_of_the_warehouse(seeded):
    world, _ = seeded
    assert building_path(world.path).exists()


def test_a_first_build_that_is_not_whole_is_not_published(seeded):
    world, said = seeded
    assert "Not published: " in said
    assert "have not yet succeeded in it" in said
    assert "There is no " in said
    assert not world.path.exists()
    # The next command finds what this one has built.
    assert world.dbt("run", "--select", "stg_items").returncode == 0
    with duckdb.connect(building_path(world.path), read_only=True) as connection:
        assert connection.execute("select count(*) > 0 from seeds.panels").fetchall() == [(True,)]
    shown = world.dbt("show", "--select", "compute_that_buys_abilities")
    assert shown.returncode != 0
    assert "there is no warehouse" in shown.stdout


def test_what_reads_leaves_the_warehouse_and_no_build_beside_it(world):
    written = world.path.read_bytes()
    commands = [
        ["show", "--select", "compute_that_buys_abilities"],
        ["compile", "--select", "dim_panels"],
        ["docs", "generate"],
        ["parse"],
    ]
    said = run_dbt_commands(commands, project_dir=world.project, env=world.environment)
    assert said.returncode == 0, said.stdout[-4000:]
    assert world.path.read_bytes() == written
    assert world.left_beside() == set()
    assert not record_path(world.path).exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a warehouse and half of another."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("room_ratio", [0.5, 1.1], ids=["copying", "building"])
def test_a_full_disk_leaves_what_is_published(world, small_disk, room_ratio):
    path = small_disk / "warehouse.duckdb"
    shutil.copy(world.path, path)
    full = small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    full.write_bytes(b"\0" * (free - int(room_ratio * path.stat().st_size)))
    written = path.read_bytes()
    crowded = world._replace(
        path=path, environment=world.environment | {"EVALWH_WAREHOUSE": str(path)}
    )
    said = crowded.dbt("build", "--full-refresh")
    assert said.returncode != 0
    assert path.read_bytes() == written
    if room_ratio < 1:
        assert "No space left on device; the warehouse is as it was" in said.stdout
    else:
        assert "Not published: " in said.stdout.splitlines()[-1]
    full.unlink()
    assert crowded.dbt("build", "--select", "dim_panels").returncode == 0
    assert crowded.left_beside() == set()


def test_the_warehouse_is_of_the_storage_version_that_was_promised(seeded):
    world, _ = seeded
    with duckdb.connect(building_path(world.path), read_only=True) as connection:
        versions = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where path is not null"
        ).fetchall()
    assert versions == [(f"{STORAGE_VERSION}+",)]


OTHER_LIBRARY = os.environ.get("EVALWH_OTHER_DUCKDB_PYTHON")


@pytest.mark.skipif(
    not OTHER_LIBRARY,
    reason="EVALWH_OTHER_DUCKDB_PYTHON names no python with another version of DuckDB",
)
def test_either_library_reads_what_the_other_has_written(world, tmp_path):
    """With the other one, files are opened as dbt opens them: its plugin sets the version."""
    assert "Published" in world.dbt("seed", "--select", "panels").stdout
    written = tmp_path / "written.duckdb"
    script = (
        "import duckdb, sys\n"
        "print(duckdb.__version__)\n"
        "own, built, version = sys.argv[1:]\n"
        "config = {'storage_compatibility_version': version}\n"
        "with duckdb.connect(own, config=config) as connection:\n"
        "    connection.execute('create table numbers as from range(1000)')\n"
        "with duckdb.connect(built, read_only=True) as connection:\n"
        "    print(*connection.execute('select count(*) from seeds.panels').fetchone())\n"
        # What one has written, the other builds on.
        "with duckdb.connect(built, config=config) as connection:\n"
        "    connection.execute('create table meta.numbers as select 1 as number')\n"
    )
    said = subprocess.run(
        [str(OTHER_LIBRARY), "-c", script, str(written), str(world.path), STORAGE_VERSION],
        capture_output=True,
        text=True,
        check=True,
    )
    version, count = said.stdout.split()
    assert version != duckdb.__version__
    with duckdb.connect(written, read_only=True) as connection:
        assert connection.execute("select count(*) from numbers").fetchall() == [(1000,)]
    with duckdb.connect(world.path, read_only=True) as connection:
        assert connection.execute("from meta.numbers").fetchall() == [(1,)]
        assert connection.execute("select count(*) from seeds.panels").fetchall() == [(int(count),)]
