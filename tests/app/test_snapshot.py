from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import duckdb
import pytest

from app import marts
from app.snapshot import ABANDONED_COPY_SECONDS, NoSnapshotError, SourceState, open_snapshot
from tests.app.warehouse_files import another_process, write_build

if TYPE_CHECKING:
    from pathlib import Path

    from app.snapshot import Snapshot


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "data" / "warehouse.duckdb"


def served(snapshot: Snapshot) -> list[str]:
    return list(marts.panels(snapshot)["panel_id"])


def assert_refused(source: Path, state: SourceState, reason: str) -> None:
    """The build before is served, which holds `first`, and the reason told, at every look."""
    for _ in range(2):
        snapshot = open_snapshot(source)
        assert snapshot.source_state is state
        assert reason in snapshot.source_detail
        assert served(snapshot) == ["first"]


def test_a_complete_build_is_served_from_a_copy(source):
    write_build(source, "first")
    snapshot = open_snapshot(source)
    assert snapshot.source_state is SourceState.CURRENT
    assert snapshot.source_detail == ""
    assert snapshot.path != source
    assert f"{snapshot.built_at:%H:%M}" == "00:05"
    assert served(snapshot) == ["first"]


def test_an_unchanged_file_is_copied_once(source):
    write_build(source, "first")
    first = open_snapshot(source)
    copied_at = first.path.stat().st_mtime_ns
    again = open_snapshot(source)
    assert again.path == first.path
    assert again.path.stat().st_mtime_ns == copied_at


def test_the_old_build_is_served_while_another_process_writes_and_then_the_new_one(source):
    write_build(source, "first")
    open_snapshot(source)
    half_of_a_build = "create or replace table marts.dim_panels as select 'half' as panel_id"
    with another_process(source, half_of_a_build, read_only=False):
        assert_refused(source, SourceState.BUILDING, "is writing")
    write_build(source, "second")
    snapshot = open_snapshot(source)
    assert snapshot.source_state is SourceState.CURRENT
    assert served(snapshot) == ["second"]


def test_a_failed_build_is_refused_until_one_succeeds(source):
    write_build(source, "first")
    open_snapshot(source)
    write_build(source, "half", is_success=False)
    reason = "2026-01-01 01:00 UTC did not succeed: 1 of 3"
    assert_refused(source, SourceState.FAILED, reason)
    write_build(source, "second")
    assert served(open_snapshot(source)) == ["second"]


def test_a_failed_build_is_opened_once_and_not_at_every_look(source, monkeypatch):
    write_build(source, "half", is_success=False)
    with pytest.raises(NoSnapshotError):
        open_snapshot(source)
    monkeypatch.setattr("app.snapshot.connect_read_only", None)
    with pytest.raises(NoSnapshotError, match="did not succeed"):
        open_snapshot(source)


def test_a_build_that_never_finished_is_refused(source):
    write_build(source, "first")
    open_snapshot(source)
    write_build(source, "half", is_success=None, is_finished=False)
    assert_refused(source, SourceState.INTERRUPTED, "was stopped before it finished")


def test_a_file_whose_writer_was_killed_is_refused(source):
    write_build(source, "first")
    open_snapshot(source)
    statement = "create or replace table marts.dim_panels as select 'half' as panel_id"
    with another_process(source, statement, read_only=False) as writer:
        writer.kill()
        writer.wait()
    assert_refused(source, SourceState.INTERRUPTED, "stopped before it finished")
    write_build(source, "second")
    assert served(open_snapshot(source)) == ["second"]


def test_a_successful_build_of_a_selection_does_not_mend_a_failed_build(source):
    write_build(source, "half", is_success=False)
    write_build(source, "mended", is_full=False)
    with pytest.raises(NoSnapshotError, match="did not succeed"):
        open_snapshot(source)


def test_a_successful_build_of_a_selection_of_a_complete_warehouse_is_adopted(source):
    write_build(source, "first")
    open_snapshot(source)
    write_build(source, "part", is_full=False)
    assert served(open_snapshot(source)) == ["part"]


def test_without_a_file_or_snapshot_the_message_says_what_to_run(source):
    with pytest.raises(NoSnapshotError, match=r"There is no file .*warehouse\.duckdb.*make run"):
        open_snapshot(source)


def test_the_last_build_outlives_its_file(source):
    write_build(source, "first")
    open_snapshot(source)
    source.unlink()
    assert_refused(source, SourceState.MISSING, "There is no file")


def test_during_the_very_first_build_there_is_no_snapshot(source):
    source.parent.mkdir()
    statement = "create table half as select 1 as one"
    with (
        another_process(source, statement, read_only=False),
        pytest.raises(NoSnapshotError, match="is writing"),
    ):
        open_snapshot(source)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("drop table marts.fct_panel_scores", "has no fct_panel_scores"),
        ("drop table meta.builds", "has no builds"),
        ("delete from meta.builds", "No build of"),
    ],
)
def test_a_warehouse_that_lacks_what_the_app_needs_is_refused(damage, message, source):
    write_build(source, "first")
    with duckdb.connect(source) as connection:
        connection.execute(damage)
    with pytest.raises(NoSnapshotError, match=message):
        open_snapshot(source)


def test_a_file_that_is_no_database_is_refused(source):
    source.parent.mkdir()
    source.write_bytes(b"not a database" * 1000)
    with pytest.raises(NoSnapshotError, match="cannot be read"):
        open_snapshot(source)


def test_a_copy_that_fails_leaves_nothing_behind(source, monkeypatch):
    write_build(source, "first")
    open_snapshot(source)
    write_build(source, "second")

    def write_half(_, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", write_half)
    snapshot = open_snapshot(source)
    assert snapshot.source_state is SourceState.UNREADABLE
    assert "No space left on device" in snapshot.source_detail
    assert served(snapshot) == ["first"]
    assert [path.name for path in snapshot.path.parent.iterdir()] == [snapshot.path.name]
    monkeypatch.undo()
    assert served(open_snapshot(source)) == ["second"]


def test_nobody_can_write_the_file_while_it_is_copied(source, monkeypatch):
    write_build(source, "first")
    copy = shutil.copyfile

    def copy_while_another_process_tries_to_write(original, target):
        with (
            pytest.raises(AssertionError, match="Could not set lock"),
            another_process(source, "select 1", read_only=False),
        ):
            pass
        return copy(original, target)

    monkeypatch.setattr(shutil, "copyfile", copy_while_another_process_tries_to_write)
    assert served(open_snapshot(source)) == ["first"]


def test_an_open_snapshot_keeps_nobody_from_reading_or_writing_the_file(source):
    write_build(source, "first")
    snapshot = open_snapshot(source)
    with duckdb.connect(snapshot.path, read_only=True) as connection:
        with another_process(source, "from marts.dim_panels", read_only=True):
            pass
        with another_process(source, "create table written as select 1 as one", read_only=False):
            assert served(snapshot) == ["first"]
        assert connection.execute("select panel_id from marts.dim_panels").fetchall() == [
            ("first",)
        ]


def test_the_two_newest_snapshots_are_kept_and_old_unfinished_copies_are_not(source):
    write_build(source, "1")
    folder = open_snapshot(source).path.parent
    old, recent = folder / ".old.duckdb.1.tmp", folder / ".recent.duckdb.2.tmp"
    old.touch()
    recent.touch()
    os.utime(old, (time.time() - 2 * ABANDONED_COPY_SECONDS,) * 2)
    snapshots = []
    for panel_id in ("2", "3", "4"):
        write_build(source, panel_id)
        snapshots.append(open_snapshot(source))
    assert {path.name for path in folder.iterdir()} == {
        snapshots[-2].path.name,
        snapshots[-1].path.name,
        recent.name,
    }
    assert served(snapshots[-1]) == ["4"]


def test_snapshots_of_two_files_in_one_folder_stay_apart(source):
    write_build(source, "this")
    write_build(source.with_name("other.duckdb"), "other")
    assert served(open_snapshot(source)) == ["this"]
    assert served(open_snapshot(source.with_name("other.duckdb"))) == ["other"]


def test_changing_an_answer_does_not_change_the_next_one(source):
    write_build(source, "first")
    snapshot = open_snapshot(source)
    answer = marts.panels(snapshot)
    answer["panel_id"] = "changed"
    assert served(snapshot) == ["first"]


def test_the_file_is_the_one_the_environment_names(source, monkeypatch):
    write_build(source, "named")
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(source))
    assert served(open_snapshot()) == ["named"]
