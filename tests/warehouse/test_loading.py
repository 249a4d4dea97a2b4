"""Loading: every shard wholly and once, whatever happens meanwhile."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.dbt_project import REPOSITORY
from tests.warehouse.test_checking import VALID
from warehouse.errors import RawStoreBusyError, RawStoreUnreadableError
from warehouse.loading import load
from warehouse.raw_store import open_raw_store
from warehouse.shard_files import SCHEMAS, shard_files, write_shard
from warehouse.whole_files import whole_file

EVALWH = str(Path(sys.executable).parent / "evalwh")


def answers(first: int, count: int) -> pa.Table:
    now = datetime.now(UTC)
    numbers = range(first, first + count)
    columns = {
        "request_id": [f"request {number}" for number in numbers],
        "session_id": ["session"] * count,
        "endpoint": ["http://127.0.0.1"] * count,
        "input_token_count": [5] * count,
        "output_token_count": [1] * count,
        "cached_token_count": [0] * count,
        "attempt_count": [1] * count,
        "latency_seconds": [0.5] * count,
        "answered_at": [now] * count,
        "completion_text": [f"completion {number}" for number in numbers],
        "stop_reason": ["stop"] * count,
        "completion_token_ids": [None] * count,
        "log_likelihoods": [None] * count,
        "token_counts": [None] * count,
        "is_single_token": [None] * count,
    }
    return pa.table(columns, schema=SCHEMAS["answers"])


def write(folder: Path, number: int, first: int, count: int = 10):
    folder.mkdir(exist_ok=True)
    return write_shard(folder, "session", number, "answers", answers(first, count))


def counts(store: Path) -> tuple[int, int, int]:
    """Answers, different ones, and loaded shards."""
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.execute(
            """
            select
                (select count(*) from raw.answers),
                (select count(distinct request_id) from raw.answers),
                (select count(*) from raw.loaded_shards where kind = 'answers')"""
        ).fetchone()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shards"


@pytest.fixture(scope="module")
def asked_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw store in which the requests are that are answered here."""
    folder = tmp_path_factory.mktemp("asked")
    asked = VALID["request"][1] | {"kind": "generation", "continuations": []}
    requests = [asked | {"request_id": f"request {number}"} for number in range(1500)]
    session = VALID["session"][1] | {"session_id": "session"}
    for number, (kind, rows) in enumerate(
        (("session", [session]), ("items", [VALID["item"][1]]), ("requests", requests))
    ):
        table = pa.Table.from_pylist(rows, schema=SCHEMAS[kind])
        write_shard(folder, "session", number, kind, table)
    assert load(folder, folder / "generations.duckdb").refused == []
    return folder / "generations.duckdb"


@pytest.fixture
def store(tmp_path: Path, asked_store: Path) -> Path:
    shutil.copy(asked_store, tmp_path)
    return tmp_path / "generations.duckdb"


def test_a_shard_is_loaded_once_and_moved(folder, store):
    shard = write(folder, 0, 0)
    report = load(folder, store)
    assert (report.shard_count, report.row_count, report.damaged) == (1, 10, [])
    assert load(folder, store).shard_count == 0
    assert counts(store) == (10, 10, 1)
    assert (folder / "loaded" / shard.name).exists()


def test_a_shard_that_comes_back_is_not_loaded_again(folder, store):
    shard = write(folder, 0, 0)
    load(folder, store)
    # As if the process had been killed after the transaction and before the move.
    (folder / "loaded" / shard.name).rename(folder / shard.name)
    assert load(folder, store).shard_count == 0
    assert counts(store) == (10, 10, 1)
    assert not list(shard_files(folder))


def test_the_first_answer_of_a_request_stays(folder, store):
    write(folder, 0, 0, 10)
    write(folder, 1, 5, 10)
    load(folder, store)
    assert counts(store) == (15, 15, 2)


def test_a_damaged_shard_is_set_aside_and_the_rest_is_loaded(folder, store):
    write(folder, 0, 0)
    damaged = write(folder, 1, 10)
    write(folder, 2, 20)
    content = bytearray(damaged.path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.path.write_bytes(content)
    report = load(folder, store)
    assert report.shard_count == 2
    assert len(report.damaged) == 1
    assert damaged.name in report.damaged[0]
    assert (folder / "damaged" / damaged.name).exists()
    assert counts(store) == (20, 20, 2)


@pytest.mark.parametrize("length", [0, 1, 100])
def test_a_shard_that_was_cut_off_is_set_aside(length, folder, store):
    shard = write(folder, 0, 0)
    os.truncate(shard.path, length)
    assert len(load(folder, store).damaged) == 1


def test_what_is_being_written_is_not_looked_at(folder, store):
    write(folder, 0, 0)
    (folder / ".session.000001.answers.0000000000000000.parquet.tmp").write_bytes(b"half")
    (folder / "notes.parquet").write_bytes(b"no shard")
    report = load(folder, store)
    assert (report.shard_count, report.damaged) == (1, [])


def test_a_table_with_other_columns_is_no_shard(folder):
    folder.mkdir()
    with pytest.raises(ValueError, match="has the columns"):
        write_shard(folder, "session", 0, "answers", pa.table({"request_id": ["a"]}))


@pytest.mark.slow(seconds=3)
def test_loading_twice_at_once_loads_once(folder, store):
    for number in range(30):
        write(folder, number, number * 10)
    environment = {**os.environ, "EVALWH_SHARDS": str(folder), "EVALWH_GENERATIONS": str(store)}
    loads = [
        subprocess.Popen(
            [EVALWH, "load"], cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL
        )
        for _ in range(3)
    ]
    assert [process.wait(120) for process in loads] == [0, 0, 0]
    assert counts(store) == (300, 300, 30)
    assert not list(shard_files(folder))


@pytest.mark.slow(seconds=10)
def test_loading_that_is_killed_goes_on_where_it_stopped(folder, store):
    for number in range(150):
        write(folder, number, number * 10)
    environment = {**os.environ, "EVALWH_SHARDS": str(folder), "EVALWH_GENERATIONS": str(store)}
    killed_count = 0
    # `make test-faults` kills it more often.
    for _ in range(4):
        process = subprocess.Popen(
            [EVALWH, "load"], cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL
        )
        remaining = len(list(shard_files(folder)))
        deadline = time.monotonic() + 60
        # Killed as soon as it has begun to move shards away, so always in the middle.
        while len(list(shard_files(folder))) > remaining - 5 and time.monotonic() < deadline:
            if process.poll() is not None:
                break
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed_count += 1
        process.wait()
    assert killed_count >= 3
    assert load(folder, store).damaged == []
    assert counts(store) == (1500, 1500, 150)


def test_a_store_in_use_is_waited_for_and_then_named(folder, store):
    write(folder, 0, 0)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print(1, flush=True);"
            " time.sleep(60)",
            str(store),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(RawStoreBusyError, match="in use by another process"):
            load(folder, store, patience_seconds=0.5)
    finally:
        holder.kill()
        holder.communicate()
    assert load(folder, store).shard_count == 1


def test_a_store_that_is_no_database_is_named(folder, store):
    store.write_text("no database " * 1000)
    with pytest.raises(RawStoreUnreadableError, match=store.name), open_raw_store(store):
        pass


def test_shards_of_the_project_are_loaded_and_left_where_they_are(folder, store):
    write(folder, 0, 0)
    assert load(folder, store, keep_files=True).shard_count == 1
    assert load(folder, store, keep_files=True).shard_count == 0
    assert len(list(shard_files(folder))) == 1


def test_what_is_named_like_a_shard_and_cannot_be_read_is_named_and_left(folder, store):
    write(folder, 0, 0)
    shard = write(folder, 1, 10)
    name = "session.00000{}.answers.0123456789abcdef.parquet"
    (folder / name.format(2)).mkdir()
    (folder / name.format(3)).symlink_to(folder / "nowhere")
    (folder / name.format(4)).symlink_to(folder / name.format(4))
    for _ in range(2):
        report = load(folder, store)
        assert len(report.unreadable) == 3
        for number, message in zip((2, 3, 4), report.unreadable, strict=True):
            assert name.format(number) in message
            assert "stays where it is" in message
    assert report.damaged == []
    assert counts(store) == (20, 20, 2)
    assert (folder / "loaded" / shard.name).exists()
    assert len(list(shard_files(folder))) == 3


@pytest.mark.slow(seconds=1)
def test_a_store_or_log_that_is_lost_is_filled_again_from_what_was_loaded(asked_store, tmp_path):
    folder, store = tmp_path / "shards", tmp_path / "lost.duckdb"
    shutil.copytree(asked_store.parent / "loaded", folder)
    write(folder, 7, 0)
    assert load(folder, store).shard_count == 4
    before = store.read_bytes()
    late = write(folder, 8, 10)
    assert load(folder, store).shard_count == 1
    # As if what came last had been in a log that is lost.
    store.write_bytes(before)
    assert load(folder, store).shard_count == 1
    assert counts(store) == (20, 20, 2)
    store.unlink()
    assert load(folder, store).shard_count == 5
    assert counts(store) == (20, 20, 2)
    assert (folder / "loaded" / late.name).exists()
    assert load(folder, store).shard_count == 0


def test_a_damaged_shard_among_the_loaded_is_set_aside_when_it_is_needed(folder, store):
    shard = write(folder, 0, 0)
    lost = store.read_bytes()
    load(folder, store)
    os.truncate(folder / "loaded" / shard.name, 100)
    assert load(folder, store).refused == []
    store.write_bytes(lost)
    (message,) = load(folder, store).damaged
    assert str(folder / "loaded" / shard.name) in message
    assert (folder / "damaged" / shard.name).exists()


def test_what_a_killed_process_left_half_written_goes_at_the_next_start(folder, store):
    write(folder, 0, 0)
    script = (
        "import os, sys; from pathlib import Path; from warehouse.whole_files import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as path: path.write_text('half'); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", script, str(folder / "x.parquet")], check=False)
    (left,) = folder.glob(".*.tmp")
    with whole_file(folder / "y.parquet") as own:
        own.write_text("half")
        elsewhere = left.with_name(re.sub("[0-9a-f]{6}-", "ffffff-", left.name))
        elsewhere.write_text("half")
        load(folder, store)
        assert sorted(folder.glob(".*.tmp")) == sorted([own, elsewhere])
        os.utime(elsewhere, (0, 0))
        load(folder, store)
        assert list(folder.glob(".*.tmp")) == [own]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o027])
def test_shards_and_store_have_the_mode_that_the_umask_leaves(mask, folder, tmp_path):
    before = os.umask(mask)
    try:
        shard = write(folder, 0, 0)
        with open_raw_store(tmp_path / "new.duckdb") as connection:
            connection.execute("create table kept (id integer)")
            made = [shard.path, *tmp_path.glob("new.duckdb*")]
            assert len(made) == 3
            assert {path.stat().st_mode & 0o777 for path in made} == {0o666 & ~mask}
    finally:
        os.umask(before)
