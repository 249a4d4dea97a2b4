"""Disks: calls that fail as on a full, broken or read-only disk, one after the other.

The injector makes the N-th call that can end so fail, once or from then on, for N spread over all
calls that a job makes.
"""

from __future__ import annotations

import errno
import random
import threading
from functools import partial
from typing import TYPE_CHECKING

from tests.faults.injecting import Injection, injected
from tests.faults.jobs import JOBS
from tests.faults.processes import orphans, run
from tests.faults.recovering import compare, look_at, recover, undisturbed
from tests.faults.states import file_names
from tests.faults.troubles import Trial
from tests.faults.worlds import WRITTEN_BY_DBT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.jobs import Job
    from tests.faults.processes import Said
    from tests.faults.worlds import Workshop, World

ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EACCES)

SHARES = {
    "run": 25,
    "load": 40,
    "import": 30,
    "measure": 12,
    "migrate": 20,
    "sql --parquet": 12,
    "export": 12,
    "dbt build, scores": 4,
}
"""Faults of the full campaign, by job."""

_counts: dict[tuple[str, int], int] = {}
_counting = threading.Lock()


def trials(workshop: Workshop, seed: int, shares: dict[str, int]) -> Iterator[Callable[[], Trial]]:
    """So many faults of each job: every error in turn, once and for good, over all its calls."""
    for name, count in shares.items():
        generator = random.Random(f"{seed} {name}")
        # Each error has its own sweep over the calls.
        for number in range(count):
            error = ERRORS[number % len(ERRORS)]
            lasts = number // len(ERRORS) % 2 == 1
            rounds = max(1, -(-count // len(ERRORS)))
            share = (number // len(ERRORS) + generator.random()) / rounds
            yield partial(fail_once, workshop, JOBS[name], error, share, lasts=lasts)


def fail_once(workshop: Workshop, job: Job, error: int, share: float, *, lasts: bool) -> Trial:
    """Let one call of the job fail, or all from it on; then mend the disk, and let it recover."""
    at = 1 + int(share * call_count(workshop, job, error))
    injection = Injection(at, error=error, lasts=lasts)
    trial = Trial("disk", job.name, str(injection))
    world = workshop.copy(job.origin)
    before = file_names(world.folder, WRITTEN_BY_DBT)
    one = injected(workshop, world, job.command(world), injection)
    said = run(one.command, job.seconds)
    trial.was_disturbed = bool(one.hit)
    trial.disturbance += f" ({one.hit.replace(str(world.folder), '')})"
    judge(workshop, job, world, trial, said)
    # On a disk that can only be read, nothing can be removed.
    if not (lasts and error == errno.EROFS):
        _look_for_leftovers(workshop, job, world, trial, before)
    recover(workshop, job, world, trial)
    return trial


def call_count(workshop: Workshop, job: Job, error: int) -> int:
    """Calls of the undisturbed job that can end with the error."""
    with _counting:
        if (job.name, error) not in _counts:
            world = workshop.copy(job.origin)
            # An error that never comes, because the call's number is 0.
            counted = injected(workshop, world, job.command(world), Injection(0, error=error))
            said = run(counted.command, 2 * job.seconds)
            assert said.code == 0, said.text[-4_000:]
            assert counted.call_count, f"{job.name} makes no call that can end with {error}"
            _counts[job.name, error] = counted.call_count
        return _counts[job.name, error]


def judge(workshop: Workshop, job: Job, world: World, trial: Trial, said: Said) -> None:
    """Note whether the disturbed command said what happened, or did all of its work."""
    look_at(trial, said, "the disturbed command")
    if said.code == 0:
        # What can be done without is done without; then all has to be there.
        if trial.was_disturbed:
            compare(workshop, job, world, trial, undisturbed(workshop, job).state)
    elif not said.is_blocked and not said.has_traceback:
        trial.message = said.message.replace(str(world.folder), "...")
        # dbt runs in a folder of the world, and names its files from there.
        names = (str(world.folder), world.warehouse.name, world.store.name)
        if not any(name in said.text for name in names):
            trial.add("unsaid", f"no path is named: {said.message[:200]}")
    if left := orphans(world.mark, 5):
        trial.add("left behind", f"{len(left)} processes, such as {left[0]}")


def _look_for_leftovers(
    workshop: Workshop, job: Job, world: World, trial: Trial, before: set[str]
) -> None:
    allowed = before | undisturbed(workshop, job).names
    # A shard is no leftover: it holds what had been answered.
    if left := {
        name
        for name in file_names(world.folder, WRITTEN_BY_DBT) - allowed
        # Nor is what a build that failed leaves for the next to go on with.
        if not name.startswith(("shards/#", "shards/lm-eval", "warehouse.duckdb.build"))
    }:
        trial.add("left behind", "after the error: " + ", ".join(sorted(left)[:5]))
