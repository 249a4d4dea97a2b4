from __future__ import annotations

import subprocess
import sys
import threading
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
import pytest

from app import marts
from app.snapshot import NoSnapshotError, SourceState, open_snapshot
from tests.app.warehouse_files import publish_build, write_build
from warehouse.builds import Build

if TYPE_CHECKING:
    from pathlib import Path

    from app.snapshot import Snapshot

KILLED_BUILD = """
import os, signal, sys
from pathlib import Path
from warehouse.builds import Build
build = Build(Path(sys.argv[1]), "build")
build.building.touch()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "data" / "warehouse.duckdb"


def served(snapshot: Snapshot) -> list[str]:
    return list(marts.panels(snapshot)["panel_id"])


def kill_a_build(source: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_BUILD, str(source)], check=False)


def assert_served_with(source: Path, state: SourceState, reason: str) -> None:
    """The published build is served, which holds `first`, and the reason told, at every look."""
    for _ in range(2):
        snapshot = open_snapshot(source)
        assert snapshot.source_state is state
        assert reason in snapshot.source_detail
        assert served(snapshot) == ["first"]


def test_a_published_build_is_served(source):
    publish_build(source, "first")
    snapshot = open_snapshot(source)
    assert snapshot.source_state is SourceState.CURRENT
    assert snapshot.source_detail == ""
    assert f"{snapshot.built_at:%H:%M}" == "00:05"
    assert served(snapshot) == ["first"]


def test_an_unchanged_file_is_opened_once(source, monkeypatch):
    publish_build(source, "first")
    first = open_snapshot(source)
    monkeypatch.setattr("app.snapshot.connect_pinned", None)
    assert open_snapshot(source).connection is first.connection


def test_a_page_keeps_its_build_and_the_next_page_has_the_new_one(source):
    publish_build(source, "first")
    page = open_snapshot(source)
    publish_build(source, "second")
    # Not asked before: the file itself answers, not what was remembered of it.
    assert served(page) == ["first"]
    assert served(open_snapshot(source)) == ["second"]
    assert served(page) == ["first"]


def test_the_newest_build_is_told_by_its_number_when_the_clock_is_turned_back(source):
    publish_build(source, "first", finished_at=datetime(2026, 6, 1))
    publish_build(source, "second", finished_at=datetime(2026, 5, 1))
    snapshot = open_snapshot(source)
    assert snapshot.source_state is SourceState.CURRENT
    assert served(snapshot) == ["second"]
    assert snapshot.built_at == datetime(2026, 5, 1)
    assert list(marts.builds(snapshot)["build_number"]) == [2, 1]


def test_a_build_at_work_is_told_and_does_not_wait_for_the_page(source):
    publish_build(source, "first")
    open_snapshot(source)
    build = Build(source, "build")
    write_build(build.building, "half")
    assert_served_with(source, SourceState.BUILDING, "A `dbt build`, started at ")
    build.publish()
    assert served(open_snapshot(source)) == ["half"]


def test_a_failed_build_is_told_until_one_is_published(source):
    publish_build(source, "first")
    build = Build(source, "run")
    write_build(build.building, "half")
    build.give_up("1 of 3 steps failed or were skipped")
    assert_served_with(
        source, SourceState.FAILED, "was not published: 1 of 3 steps failed or were skipped."
    )
    publish_build(source, "second")
    snapshot = open_snapshot(source)
    assert snapshot.source_state is SourceState.CURRENT
    assert served(snapshot) == ["second"]


def test_a_killed_build_is_told(source):
    publish_build(source, "first")
    kill_a_build(source)
    assert_served_with(source, SourceState.INTERRUPTED, "was stopped before it ended.")


def test_without_a_file_the_message_says_what_to_run(source):
    with pytest.raises(NoSnapshotError, match=r"There is no file .*warehouse\.duckdb.*make run"):
        open_snapshot(source)


def test_after_a_first_build_that_failed_the_message_says_so(source):
    Build(source, "build").give_up("1 of 3 steps failed or were skipped")
    with pytest.raises(NoSnapshotError, match="1 of 3 steps failed"):
        open_snapshot(source)


def test_what_was_read_outlives_its_file(source):
    publish_build(source, "first")
    open_snapshot(source)
    source.unlink()
    assert_served_with(source, SourceState.UNREADABLE, "There is no file")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("drop table marts.fct_panel_scores", "fct_panel_scores does not exist"),
        ("drop table meta.builds", "builds does not exist"),
        ("alter table marts.dim_panels drop column lineage_count", '"lineage_count" not found'),
        ("alter table meta.builds drop column build_number", '"build_number" not found'),
    ],
)
def test_a_warehouse_without_a_table_or_column_that_is_asked_for_is_not_served(
    damage, message, source
):
    publish_build(source, "first")
    with duckdb.connect(source) as connection:
        connection.execute(damage)
    with pytest.raises(NoSnapshotError, match=rf"{message}.*run `dbt build`"):
        open_snapshot(source)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_file_that_is_no_database_is_not_served(source, is_first):
    if not is_first:
        publish_build(source, "first")
        open_snapshot(source)
        source.unlink()
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(b"not a database" * 1000)
    if is_first:
        with pytest.raises(NoSnapshotError, match="cannot be opened as a DuckDB database"):
            open_snapshot(source)
    else:
        assert_served_with(source, SourceState.UNREADABLE, "cannot be opened")


def test_a_truncated_file_is_told_and_the_next_build_is_served(source):
    publish_build(source, "first")
    open_snapshot(source)
    whole = source.read_bytes()
    truncated = source.with_name("truncated")
    truncated.write_bytes(whole[: len(whole) // 2])
    truncated.replace(source)
    assert_served_with(source, SourceState.UNREADABLE, "")
    source.unlink()
    publish_build(source, "second")
    assert served(open_snapshot(source)) == ["second"]


def test_a_session_that_has_the_file_open_for_writing_is_named(source):
    publish_build(source, "first")
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(source)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(NoSnapshotError, match=f"open for writing in process {writer.pid}"):
            open_snapshot(source)
        writer.communicate(b"\n")
    assert served(open_snapshot(source)) == ["first"]


def test_snapshots_of_two_files_in_one_folder_stay_apart(source):
    publish_build(source, "this")
    publish_build(source.with_name("other.duckdb"), "other")
    assert served(open_snapshot(source)) == ["this"]
    assert served(open_snapshot(source.with_name("other.duckdb"))) == ["other"]


def test_changing_an_answer_does_not_change_the_next_one(source):
    publish_build(source, "first")
    snapshot = open_snapshot(source)
    answer = marts.panels(snapshot)
    answer["panel_id"] = "changed"
    assert served(snapshot) == ["first"]


@pytest.mark.slow(seconds=2)
def test_many_pages_read_while_builds_are_published(source):
    publish_build(source, "0")
    mixed: list[tuple[str, list[str]]] = []
    is_over = threading.Event()

    def read_pages() -> None:
        while not is_over.is_set():
            snapshot = open_snapshot(source)
            newest = marts.builds(snapshot)["invocation_id"].iloc[0]
            if [newest] != served(snapshot):
                mixed.append((newest, served(snapshot)))

    pages = [threading.Thread(target=read_pages) for _ in range(4)]
    for page in pages:
        page.start()
    for number in range(1, 8):
        publish_build(source, str(number))
    is_over.set()
    for page in pages:
        page.join()
    assert mixed == []
    assert served(open_snapshot(source)) == ["7"]


def test_the_file_is_the_one_the_environment_names(source, monkeypatch):
    publish_build(source, "named")
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(source))
    assert served(open_snapshot()) == ["named"]
