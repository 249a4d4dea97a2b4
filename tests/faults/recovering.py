"""Recovering: the same command once more, after which all has to be as if nothing had been."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from app.cli import main
from tests.faults.injecting import Injection, injected
from tests.faults.jobs import Job, wrongs
from tests.faults.processes import Said, run
from tests.faults.states import State, differences, file_names
from tests.faults.worlds import WRITTEN_BY_DBT

if TYPE_CHECKING:
    from tests.faults.troubles import Trial
    from tests.faults.worlds import Workshop, World

HAS_CHECK = "check" in main.commands


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """A job that nobody disturbed."""

    seconds: float
    call_count: int
    """Calls that changed files."""
    state: State
    names: set[str]
    """Of the files that it left."""


_known: dict[str, Undisturbed] = {}
_locks: dict[str, threading.Lock] = {}
_guard = threading.Lock()


def undisturbed(workshop: Workshop, job: Job) -> Undisturbed:
    """The job as it is when nobody disturbs it; it is done once.

    Raises:
        AssertionError: it fails, or answers wrongly.
    """
    with _guard:
        lock = _locks.setdefault(job.name, threading.Lock())
    with lock:
        if job.name not in _known:
            world = workshop.copy(job.origin)
            counted = injected(workshop, world, job.command(world), Injection())
            said = run(counted.command, 2 * job.seconds)
            assert said.code == 0, f"{job.name} fails undisturbed: {said.text[-4_000:]}"
            wrong, twice = wrongs(job, world, workshop)
            assert not wrong, f"{job.name} undisturbed has wrong answers: {wrong[:3]}"
            assert not twice, f"{job.name} undisturbed asked twice: {twice[:3]}"
            state = job.state(world)
            assert any(state.values()), f"{job.name} leaves nothing"
            _known[job.name] = Undisturbed(
                said.seconds, counted.call_count, state, file_names(world.folder, WRITTEN_BY_DBT)
            )
    return _known[job.name]


def look_at(trial: Trial, said: Said, what: str) -> None:
    """Note a command that did not end, or ended with what no user can read."""
    if said.is_blocked:
        trial.add("blocked", f"{what} did not end in {said.seconds:.0f} s")
    elif said.has_traceback:
        trial.add("traceback", f"{what}: {_head_of_traceback(said.text)}")


def _head_of_traceback(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    crashes = [line for line in lines if line.startswith(("Fatal Python error", "terminate"))]
    return (crashes or lines or ["no words"])[-1][:300]


def recover(workshop: Workshop, job: Job, world: World, trial: Trial, attempts: int = 1) -> None:
    """Run the job's command again, and compare what it leaves with what it should."""
    expected = undisturbed(workshop, job)
    said = run(job.command(world), job.seconds)
    look_at(trial, said, "the same command again")
    if said.code != 0 and not said.is_blocked:
        trial.add("blocked", f"the same command fails afterwards: {said.message[:300]}")
    compare(workshop, job, world, trial, expected.state)
    if left := file_names(world.folder, WRITTEN_BY_DBT) - expected.names:
        trial.add("left behind", ", ".join(sorted(left)[:5]))
    check(world, trial)


def compare(workshop: Workshop, job: Job, world: World, trial: Trial, expected: State) -> None:
    """Note what is lost, doubled or wrong."""
    try:
        found = job.state(world)
        wrong, twice = wrongs(job, world, workshop)
    except (OSError, duckdb.Error) as error:
        trial.add("lost", f"what it leaves cannot be read: {error}"[:300])
        return
    lost, doubled = differences(expected, found)
    if lost:
        trial.add("lost", ", ".join(lost))
    if wrong:
        trial.add("lost", f"{len(wrong)} requests have another one's answer: {wrong[:3]}")
    if doubled + twice:
        trial.add("doubled", ", ".join(doubled + twice))


def check(world: World, trial: Trial) -> None:
    """`evalwh check`, where there is a raw store to check."""
    if HAS_CHECK and world.store.exists():
        said = run(world.evalwh("check"), 60)
        look_at(trial, said, "evalwh check")
        if said.code != 0 and not said.is_blocked:
            trial.add("lost", f"evalwh check: {said.message[:300]}")
