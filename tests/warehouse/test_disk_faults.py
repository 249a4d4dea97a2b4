"""Disk faults: one sentence that names the path, and nothing lost, doubled or left lying about."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from inference.exchange.importing import import_samples, sample_files
from tests.conftest import LOGGED_ELSEWHERE
from tests.dbt_project import REPOSITORY
from tests.warehouse.test_checking import KNOWN, VALID
from warehouse.errors import DiskError
from warehouse.loading import load
from warehouse.shard_files import SCHEMAS, shard_files, shard_sets, write_shard

EVALWH = str(Path(sys.executable).parent / "evalwh")

FAULTS = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO"]


def write(folder: Path, name: str, rows: list[dict], number: int) -> None:
    folder.mkdir(exist_ok=True)
    kind, _ = VALID[name]
    write_shard(folder, "made", number, kind, pa.Table.from_pylist(rows, schema=SCHEMAS[kind]))


def failing(monkeypatch: pytest.MonkeyPatch, name: str, fault: str, after: int = 0) -> None:
    """Let the call of `os` of that name fail, but for the first `after` times."""
    call = getattr(os, name)
    times = iter(range(after))

    def called(*arguments, **options):
        if next(times, None) is None:
            number = getattr(errno, fault)
            raise OSError(number, os.strerror(number), str(arguments[0]))
        return call(*arguments, **options)

    monkeypatch.setattr(os, name, called)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_shard_that_cannot_be_written_is_named_and_nothing_is_left(
    call, fault, tmp_path, monkeypatch
):
    failing(monkeypatch, call, fault)
    with pytest.raises(DiskError) as raised:
        write(tmp_path / "shards", "session", [VALID["session"][1]], 0)
    message = str(raised.value)
    assert str(tmp_path / "shards" / "made.000000.session.") in message
    assert os.strerror(getattr(errno, fault)) in message
    assert "run the same command again" in message
    assert list((tmp_path / "shards").iterdir()) == []


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("after", [0, 1, 5, 10])
def test_an_import_that_cannot_be_written_leaves_nothing(fault, after, tmp_path, monkeypatch):
    (path, *_) = sample_files([LOGGED_ELSEWHERE])
    failing(monkeypatch, "fsync", fault, after)
    with pytest.raises(DiskError, match=r"nothing of it was kept|as it was"):
        import_samples(path, tmp_path / "shards")
    assert list((tmp_path / "shards").iterdir()) == []
    monkeypatch.undo()
    import_samples(path, tmp_path / "shards")
    assert len(shard_sets(tmp_path / "shards")) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_shard_that_is_in_and_cannot_be_moved_is_named_and_not_loaded_twice(
    fault, tmp_path, monkeypatch
):
    for number, (name, changes) in enumerate(KNOWN):
        write(tmp_path / "shards", name, [VALID[name][1] | changes], number)
    failing(monkeypatch, "replace", fault)
    report = load(tmp_path / "shards", tmp_path / "store.duckdb")
    assert len(report.unreadable) == report.shard_count == len(KNOWN)
    assert all("its rows are in" in message for message in report.unreadable)
    monkeypatch.undo()
    again = load(tmp_path / "shards", tmp_path / "store.duckdb")
    assert (again.refused, again.shard_count) == ([], 0)
    assert list(shard_files(tmp_path / "shards")) == []


def evalwh(folder: Path, *arguments: str, size: int | None = None) -> subprocess.CompletedProcess:
    """The command, which cannot write files of more than `size` bytes."""

    def limited() -> None:
        if size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    places = {
        "EVALWH_SHARDS": str(folder / "shards"),
        "EVALWH_GENERATIONS": str(folder / "generations.duckdb"),
    }
    return subprocess.run(
        [EVALWH, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        preexec_fn=limited,
        check=False,
    )


@pytest.mark.slow(seconds=2)
def test_a_disk_that_is_full_while_loading_loses_nothing(tmp_path):
    for number, (name, changes) in enumerate(KNOWN[:6]):
        write(tmp_path / "shards", name, [VALID[name][1] | changes], number)
    assert evalwh(tmp_path, "load").returncode == 0
    asked = VALID["request"][1]
    numbers = range(200)
    write(
        tmp_path / "shards",
        "request",
        [
            asked
            | {
                "request_id": f"r{one}",
                "prompt_id": f"p{one}",
                "prompt_text": os.urandom(9999).hex(),
            }
            for one in numbers
        ],
        7,
    )
    size = (tmp_path / "generations.duckdb").stat().st_size
    said = evalwh(tmp_path, "load", size=size + 200_000)
    assert said.returncode == 1
    assert "Traceback" not in said.stderr
    assert str(tmp_path / "generations.duckdb") in said.stderr
    assert "stay where they are" in said.stderr
    assert len(list(shard_files(tmp_path / "shards"))) == 1
    said = evalwh(tmp_path, "load")
    assert (said.returncode, said.stderr) == (0, "")
    with duckdb.connect(tmp_path / "generations.duckdb", read_only=True) as connection:
        assert connection.execute("select count(*) from raw.requests").fetchall() == [
            (2 + len(numbers),)
        ]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    said = evalwh(tmp_path / "file", "import", str(LOGGED_ELSEWHERE))
    assert (said.returncode, str(tmp_path / "file") in said.stderr) == (1, True)
    assert "Traceback" not in said.stderr
