"""Loading: every shard wholly and once, whatever happens meanwhile."""

from __future__ import annotations

import os
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
from warehouse.errors import RawStoreBusyError, RawStoreUnreadableError
from warehouse.loading import load
from warehouse.raw_store import open_raw_store
from warehouse.shard_files import SCHEMAS, shard_files, write_shard

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
                (select count(*) from raw.loaded_shards)"""
        ).fetchone()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shards"


@pytest.fixture
def store(tmp_path: Path) -> Path:
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
    for _ in range(6):
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
