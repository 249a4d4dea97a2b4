"""Measuring: every completion once, again only under another version, also when killed."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import psutil
import pytest

from inference.measuring import measure as measuring
from inference.measuring.measure import measure, missing
from inference.measuring.sandbox import ProgramResult
from tests.dbt_project import REPOSITORY
from warehouse.loading import load

EVALWH = str(Path(sys.executable).parent / "evalwh")
ALL_MEASURES = measuring.MEASURES
(TRANSLATIONS,) = (one for one in measuring.MEASURES if one.shard_kind == "translations")


pytestmark = pytest.mark.slow(seconds=35)


@pytest.fixture(autouse=True)
def only_translations(monkeypatch):
    """Programs need a sandbox, and have tests of their own."""
    monkeypatch.setattr(measuring, "MEASURES", (TRANSLATIONS,))


@pytest.fixture
def store(tmp_path) -> Path:
    """A raw store with the demonstration's recorded answers, not measured."""
    load(REPOSITORY / "warehouse" / "demo", tmp_path / "generations.duckdb", keep_files=True)
    return tmp_path / "generations.duckdb"


def silent(*_: object) -> None:
    pass


def counts(store: Path) -> tuple[int, int]:
    """Translations that are measured, and how often."""
    with duckdb.connect(str(store), read_only=True) as connection:
        (row,) = connection.execute(
            "select count(distinct (request_id, item_hash)), count(*)"
            " from raw.translation_statistics"
        ).fetchall()
    return row


def test_what_is_measured_is_not_measured_again(store, tmp_path):
    done = measure(tmp_path / "shards", store, silent)
    assert done["translation_statistics"] == 40
    assert measure(tmp_path / "shards", store, silent)["translation_statistics"] == 0
    assert counts(store) == (40, 40)


def test_another_version_measures_again_and_keeps_the_old(store, tmp_path, monkeypatch):
    measure(tmp_path / "shards", store, silent)
    newer = dataclasses.replace(TRANSLATIONS, version=TRANSLATIONS.version + 1)
    monkeypatch.setattr(measuring, "MEASURES", (newer,))
    assert measure(tmp_path / "shards", store, silent)["translation_statistics"] == 40
    assert counts(store) == (40, 80)


def test_work_is_written_piece_by_piece(store, tmp_path, monkeypatch):
    """A measure that breaks off leaves what it had done, in the raw store."""
    done_before = 10

    def breaking(work):
        if counts(store)[1] or list((tmp_path / "shards").glob("*.parquet")):
            raise KeyboardInterrupt
        return TRANSLATIONS.results(work)

    monkeypatch.setattr(
        measuring,
        "MEASURES",
        (dataclasses.replace(TRANSLATIONS, chunk=done_before, results=breaking),),
    )
    with pytest.raises(KeyboardInterrupt):
        measure(tmp_path / "shards", store, silent)
    assert counts(store) == (done_before, done_before)
    assert len(missing(store, TRANSLATIONS)) == 40 - done_before


def test_killed_at_any_moment_it_goes_on(store, tmp_path):
    environment = {
        **os.environ,
        "EVALWH_SHARDS": str(tmp_path / "shards"),
        "EVALWH_GENERATIONS": str(store),
    }
    generator = random.Random(4)
    for _ in range(4):
        process = subprocess.Popen(
            [EVALWH, "measure"],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(generator.uniform(0.2, 4))
        # With the processes that it started.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    # Translations come first; whether programs can be run depends on the machine.
    subprocess.run([EVALWH, "measure"], cwd=REPOSITORY, env=environment, check=False)
    assert counts(store) == (40, 40)


def test_its_processes_end_with_it(tmp_path):
    """However it ends: it is killed while they count, and nobody tells them."""
    script = tmp_path / "counting.py"
    script.write_text(
        "from inference.measuring.translations import all_statistics\n"
        "if __name__ == '__main__':\n"
        "    for _ in all_statistics([('bleu', 'a b c d', 'a b d c')] * 100_000, 2):\n"
        "        print('counted', flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=20)
    for one in alive:
        one.kill()
    assert alive == []


def test_programs_that_the_machine_did_not_run_are_counted_and_named(store, tmp_path, monkeypatch):
    """Their outcome says nothing about them: they are run by the next call."""
    with duckdb.connect(str(store)) as connection:
        connection.execute("delete from raw.program_outcomes")
    (programs,) = (one for one in ALL_MEASURES if one.shard_kind == "programs")
    outcome = ProgramResult("sandbox_error", "3 times: the worker ended", 0.0)
    broken = dataclasses.replace(programs, results=lambda work: iter([outcome] * len(work)))
    monkeypatch.setattr(measuring, "MEASURES", (broken,))
    said: list[str] = []
    done = measure(tmp_path / "shards", store, silent, on_unscored=said.append)
    assert done["program_outcomes"] > 0
    assert len(missing(store, programs)) == done["program_outcomes"]
    counted = sum(int(message.split()[0]) for message in said)
    assert counted == done["program_outcomes"]
    assert all("3 times: the worker ended" in message for message in said)


def test_a_machine_without_a_sandbox_leaves_nothing_of_the_demonstration_unmeasured(
    store, tmp_path, monkeypatch
):
    """Outcomes of its programs come with it: nothing is run, and nothing is missing."""
    bare = tmp_path / "bin"
    bare.mkdir()
    environment = {
        **os.environ,
        "PATH": str(bare),
        "EVALWH_SHARDS": str(tmp_path / "shards"),
        "EVALWH_GENERATIONS": str(store),
    }
    run = subprocess.run(
        [EVALWH, "measure"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "program_outcomes" not in run.stdout
    monkeypatch.undo()
    assert [missing(store, one) for one in measuring.MEASURES] == [[], []]
