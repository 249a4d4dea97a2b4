"""The disk takes no more: one sentence says where and what was kept, and the same command goes on.

Small file systems in memory are full for real; other errors are put in place of writing.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from inference.asking.ask import ask_all
from inference.asking.client import Answer, Client, ClientSettings
from inference.asking.recording import Recorder
from inference.errors import ModelChangedError, RecordingError
from tests.dbt_project import REPOSITORY
from tests.inference.asking.stub_server import MODEL, stub_server
from tests.inference.asking.test_client import generation
from warehouse import whole_files

EVALWH = str(Path(sys.executable).parent / "evalwh")

SETTINGS = ClientSettings(concurrency=2, batch_size=2, patience_seconds=2)


def ask(stub, folder, requests, results):
    async def asked():
        async with Client([stub.url], SETTINGS) as client:
            recorder = Recorder(
                folder,
                "session",
                age_limit=0.0,
                on_acknowledged=results.extend,
                look=client.look_at,
            )
            try:
                await ask_all(client, [[[one]] for one in requests], recorder)
            finally:
                ask.pending_count = recorder.pending_count

    asyncio.run(asked())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES, errno.EDQUOT])
def test_an_error_of_the_disk_ends_the_run_and_loses_nothing_that_counts(
    tmp_path, monkeypatch, code
):
    """From the second shard on, nothing can be written."""
    written = []
    sync = whole_files._sync

    def fail(path):
        if written:
            raise OSError(code, os.strerror(code), str(path))
        sync(path)
        if path == tmp_path:
            written.append(path)

    monkeypatch.setattr(whole_files, "_sync", fail)
    results = []
    requests = [generation(str(i), i) for i in range(1000)]
    with (
        stub_server(delay_seconds=0.02) as stub,
        pytest.raises(RecordingError, match=os.strerror(code)) as error,
    ):
        ask(stub, tmp_path, requests, results)
    # Not to its end: to ask what cannot be kept would be a waste.
    assert len(stub.calls) < len(requests) / 2
    assert str(tmp_path) in str(error.value)
    assert results
    assert ask.pending_count > 0
    assert not list(tmp_path.glob(".*.tmp"))


def test_an_error_that_passes_is_no_loss(tmp_path, monkeypatch):
    failed = []
    sync = whole_files._sync

    def fail_once(path):
        if not failed:
            failed.append(path)
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        sync(path)

    monkeypatch.setattr(whole_files, "_sync", fail_once)
    results = []
    with stub_server() as stub, pytest.raises(RecordingError):
        ask(stub, tmp_path, [generation("a", 1)], results)
    # The last attempt, when the run ends, has worked.
    assert [one.request.request_id for one in results] == ["a"]
    assert ask.pending_count == 0


@pytest.mark.parametrize("failing_count", [1, 2])
def test_what_cannot_be_written_nor_set_aside_stays_pending(tmp_path, monkeypatch, failing_count):
    """The first write is of what a server said that is as it was, the second of one that is not."""
    sync = whole_files._sync
    failures = iter([failing_count == 1, True])

    def fail(path):
        if path.name.startswith(".") and next(failures, False):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        sync(path)

    async def look(url, _):
        if url == "changed":
            raise ModelChangedError("another model")

    async def recorded():
        recorder = Recorder(tmp_path, "session", look=look)
        for number, url in enumerate(["same", "changed"]):
            recorder.add(
                Answer(generation(str(number), 1), url, 1, 0.1, 1, 1, None, "text", "stop")
            )
        monkeypatch.setattr(whole_files, "_sync", fail)
        with pytest.raises(RecordingError):
            await recorder.flush()
        assert (recorder.pending_count, recorder.unconfirmed_count) == (3 - failing_count, 0)
        monkeypatch.undo()
        await recorder.abandon()
        assert (recorder.pending_count, recorder.unconfirmed_count) == (0, 1)

    asyncio.run(recorded())


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 200 kB, where this machine allows to make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k,mode=0777", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("only root can make a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def run_options(stub, tokenizer_folder):
    return [
        *(EVALWH, "run", "--model", MODEL, "--endpoint", stub.url, "--items", "demo"),
        *("--tokenizer", str(tokenizer_folder), "--benchmarks", "mmlu,gsm8k,hellaswag,squad2"),
    ]


def evalwh_run(stub, tokenizer_folder, shards, store):
    return subprocess.run(
        run_options(stub, tokenizer_folder),
        cwd=REPOSITORY,
        env={**os.environ, "EVALWH_SHARDS": str(shards), "EVALWH_GENERATIONS": str(store)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow(seconds=4)
@pytest.mark.parametrize("free_bytes", [0, 60_000])
def test_a_full_disk_is_a_sentence_and_the_run_goes_on_elsewhere(
    small_disk, tmp_path, tokenizer_folder, free_bytes
):
    shards = small_disk / "shards"
    shards.mkdir()
    space = os.statvfs(small_disk)
    (small_disk / "filling").write_bytes(b"x" * (space.f_bavail * space.f_frsize - free_bytes))
    store = tmp_path / "generations.duckdb"
    with stub_server() as stub:
        full = evalwh_run(stub, tokenizer_folder, shards, store)
        assert full.returncode == 1
        assert "Traceback" not in full.stderr
        assert str(shards) in full.stderr
        assert "No space left" in full.stderr
        assert not list(shards.glob(".*.tmp"))
        (small_disk / "filling").unlink()
        more = evalwh_run(stub, tokenizer_folder, shards, store)
    assert more.returncode == 0, more.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_a_sentence(tmp_path, tokenizer_folder):
    shards = tmp_path / "shards"
    shards.mkdir()
    shards.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with stub_server() as stub:
        done = evalwh_run(stub, tokenizer_folder, shards, tmp_path / "generations.duckdb")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{shards}" in done.stderr


@pytest.mark.slow(seconds=1)
def test_a_file_in_place_of_the_folder_is_a_sentence(tmp_path, tokenizer_folder):
    shards = tmp_path / "shards"
    shards.write_text("a file")
    with stub_server() as stub:
        done = evalwh_run(stub, tokenizer_folder, shards, tmp_path / "generations.duckdb")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"{shards}" in done.stderr


FAKE_SGLANG = """#!/bin/sh
while [ "$1" != --port ]; do shift; done
echo $$ > "{pid}"
cd "{repository}"
exec "{python}" -m tests.inference.asking.stub_server --port "$2"
"""


@pytest.mark.slow(seconds=2)
def test_a_server_of_ours_is_stopped_when_nothing_can_be_written(tmp_path, tokenizer_folder):
    """The stub stands for SGLang behind a Python that is none."""
    fake = tmp_path / "python"
    pid = tmp_path / "pid"
    fake.write_text(
        FAKE_SGLANG.format(pid=pid, python=sys.executable, repository=REPOSITORY), encoding="utf-8"
    )
    fake.chmod(0o755)
    shards = tmp_path / "shards"
    shards.write_text("a file")
    done = subprocess.run(
        [
            *(EVALWH, "run", "--model", MODEL, "--serve", "--python", str(fake)),
            *("--items", "demo", "--benchmarks", "mmlu", "--tokenizer", str(tokenizer_folder)),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "EVALWH_SHARDS": str(shards),
            "EVALWH_GENERATIONS": str(tmp_path / "generations.duckdb"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{shards}" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
