"""The campaign finds what is planted: a loss, a double, a wrong answer, a process, a traceback."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections import Counter
from contextlib import closing

import duckdb
import pytest

from tests.dbt_project import REPOSITORY
from tests.faults import kills
from tests.faults.campaign import perform, scaled
from tests.faults.disks import judge
from tests.faults.injecting import Injection, injected
from tests.faults.jobs import JOBS, Job
from tests.faults.processes import Command, orphans, run
from tests.faults.recovering import compare, recover, undisturbed
from tests.faults.states import asked_twice, differences, lines_state, wrong_answers
from tests.faults.troubles import Trial, table

WRITER = """
import os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
written = folder / '.rows.tmp'
with written.open('w') as file:
    for number in range(5):
        file.write(f'{number}\\n')
        file.flush()
os.rename(written, folder / 'rows.json')
(folder / 'moment').write_text(str(time.time()))
"""
"""Makes two files by nine calls: create, five times write, rename, create, write."""


def python(world, script):
    return Command((sys.executable, "-c", script, str(world.folder)), REPOSITORY, world.environment)


def job(script, name="planted"):
    return Job(
        name,
        "nothing",
        lambda world: python(world, script),
        lambda world: lines_state(world.folder),
        seconds=20,
    )


@pytest.fixture
def world(injecting_shop):
    return injecting_shop.copy("nothing")


def test_calls_that_change_files_are_counted(injecting_shop, world):
    counted = injected(injecting_shop, world, python(world, WRITER), Injection())
    assert run(counted.command, 20).code == 0
    assert (counted.call_count, counted.hit) == (9, "")


@pytest.mark.parametrize(
    ("at", "call", "names"),
    [(1, "open64", set()), (4, "write", {".rows.tmp"}), (7, "rename", {".rows.tmp"})],
)
def test_one_call_fails_and_is_named(injecting_shop, world, at, call, names):
    injection = Injection(at, error=errno.ENOSPC)
    one = injected(injecting_shop, world, python(world, WRITER), injection)
    said = run(one.command, 20)
    assert said.code == 1
    assert said.has_traceback
    assert f"[Errno {errno.ENOSPC}]" in said.text
    assert one.hit.split()[0] == call
    assert {path.name for path in world.folder.iterdir()} == names


@pytest.mark.parametrize(("when", "name"), [("before", ".rows.tmp"), ("after", "rows.json")])
def test_a_kill_comes_before_or_after_a_call(injecting_shop, world, when, name):
    one = injected(injecting_shop, world, python(world, WRITER), Injection(7, kill=when))
    assert run(one.command, 20).code == -9
    assert [path.name for path in world.folder.iterdir()] == [name]


def test_the_clock_is_moved_in_the_middle(injecting_shop, world):
    assert run(python(world, WRITER), 20).code == 0
    before = float((world.folder / "moment").read_text())
    one = injected(injecting_shop, world, python(world, WRITER), Injection(3, clock=-86_400))
    assert run(one.command, 20).code == 0
    moved = float((world.folder / "moment").read_text())
    assert -86_400 <= moved - before < -86_300


def test_what_is_lost_and_doubled_is_counted():
    expected = {"answers": Counter(a=1, b=1), "items": Counter(i=2)}
    found = {"answers": Counter(a=2), "items": Counter(i=2), "prompts": Counter(p=1)}
    assert differences(expected, found) == (
        ["1 of 2 rows of answers"],
        ["1 rows of answers", "1 rows of prompts"],
    )


APPENDER = """
import pathlib, sys
with (pathlib.Path(sys.argv[1]) / 'rows.json').open('a') as file:
    for number in range(3):
        file.write(f'{number}\\n')
        file.flush()
"""


def test_a_job_that_doubles_after_a_kill_is_found(injecting_shop, monkeypatch):
    monkeypatch.setitem(JOBS, "appends", job(APPENDER, "appends"))
    (trial,) = [kills.kill_once(injecting_shop, JOBS["appends"], "after", 1.0)]
    assert trial.was_disturbed
    assert trial.troubles == {"doubled": "3 rows of rows.json"}


FORGETTER = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
with (folder / 'rows.json').open('a') as file:
    if not file.tell():
        for number in range(3):
            file.write(f'{number}\\n')
            file.flush()
"""


def test_a_job_that_loses_after_a_kill_is_found(injecting_shop):
    trial = kills.kill_once(injecting_shop, job(FORGETTER, "forgets"), "after", 0.5)
    assert trial.troubles == {"lost": "2 of 3 rows of rows.json"}


def test_temporary_files_that_stay_are_found(injecting_shop, world):
    left = job(WRITER, "leaves")
    undisturbed(injecting_shop, left)
    (world.folder / ".other.tmp").touch()
    trial = Trial("planted", "", "")
    recover(injecting_shop, left, world, trial)
    assert trial.troubles == {"left behind": ".other.tmp"}


def test_a_command_that_does_not_end_is_blocked_and_ended(injecting_shop, world):
    trial = Trial("planted", "", "")
    waiting = job("import time; time.sleep(60)", "waits")
    said = run(waiting.command(world), 0.5)
    judge(injecting_shop, waiting, world, trial, said)
    assert set(trial.troubles) == {"blocked"}


def test_an_orphan_is_found_and_ended(world):
    script = (
        "import subprocess, sys;"
        " subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " start_new_session=True)"
    )
    assert run(python(world, script), 20).code == 0
    assert len(orphans(world.mark, 0.2)) == 1
    assert orphans(world.mark, 2) == []


def test_a_traceback_and_an_error_without_a_path_are_found(injecting_shop, world):
    for script, trouble in (
        ("raise OSError(28, 'full')", "traceback"),
        ("import sys; sys.exit('Error: it is full')", "unsaid"),
    ):
        trial = Trial("planted", "", "")
        failing = job(script)
        judge(injecting_shop, failing, world, trial, run(failing.command(world), 20))
        assert set(trial.troubles) == {trouble}


@pytest.mark.slow(seconds=6)
def test_answers_of_other_requests_and_asking_twice_are_found(shop):
    world = shop.copy("asked")
    tokenizer = shop.known_tokenizer
    assert wrong_answers(world.store, tokenizer) == []
    assert asked_twice(world.store) == []
    expected = JOBS["run"].state(world)
    with closing(duckdb.connect(world.store)) as connection:
        connection.execute(
            """
            update raw.generations set completion_text = (
                select max(completion_text) from raw.generations
            )
            where request_id = (select arg_min(request_id, completion_text) from raw.generations)"""
        )
        connection.execute("update raw.run_session_ends set answered_count = answered_count + 1")
    assert len(wrong_answers(world.store, tokenizer)) == 1
    assert len(asked_twice(world.store)) == 1
    trial = Trial("planted", "", "")
    compare(shop, JOBS["run"], world, trial, expected)
    assert set(trial.troubles) == {"lost", "doubled"}


def test_a_trial_that_cannot_be_made_is_no_success():
    def fails():
        raise subprocess.SubprocessError("no process")

    (trial,) = perform([fails], 1, lambda _: None)
    assert trial.troubles == {"blocked": "the trial itself failed: no process"}


def test_the_table_counts_every_trouble():
    trials = [Trial("kill", "run", "one"), Trial("kill", "run", "two", message="Error: a | b")]
    trials[0].add("lost", "a row")
    trials[0].add("lost", "another")
    assert table(trials).splitlines()[2:] == [
        r"| kill | run | 2 | 2 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | Error: a \| b |",
        "| all |  | 2 | 2 | 1 | 0 | 0 | 0 | 0 | 0 | 0 |  |",
    ]


def test_shares_are_scaled_to_a_count():
    assert scaled({"run": 30, "load": 10}, 8) == {"run": 6, "load": 2}
