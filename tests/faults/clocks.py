"""Clocks: the clock of the machine turned back, or ahead, between two commands and within one."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from tests.faults.injecting import Injection, injected
from tests.faults.jobs import JOBS
from tests.faults.processes import run
from tests.faults.recovering import look_at, recover, undisturbed
from tests.faults.troubles import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.jobs import Job
    from tests.faults.worlds import Workshop

HOUR = 3600

STEPS = (-HOUR, -400 * 24 * HOUR, 30 * 24 * HOUR, -1)
"""Seconds: summer time by hand, an empty battery, a wrong date set, a server of time."""

SHARES = {
    "run": 6,
    "load": 8,
    "import": 4,
    "measure": 2,
    "migrate": 4,
    "dbt build, scores": 2,
}
"""Turned clocks of the full campaign, by job."""


def trials(workshop: Workshop, seed: int, shares: dict[str, int]) -> Iterator[Callable[[], Trial]]:
    """So many moved clocks of each job: in turn for all of it, and in the middle of it."""
    for name, count in shares.items():
        generator = random.Random(f"{seed} {name}")
        for number in range(count):
            step = STEPS[number // 2 % len(STEPS)]
            share = 0.0 if number % 2 else generator.random()
            yield partial(turn, workshop, JOBS[name], step, share)


def turn(workshop: Workshop, job: Job, step: int, share: float) -> Trial:
    """Move the clock by so many seconds, after that share of the job's calls; 0 is for all of it.

    The job that follows has the true time again.
    """
    whole = undisturbed(workshop, job)
    at = int(share * whole.call_count)
    injection = Injection(at, clock=step)
    trial = Trial("clock", job.name, str(injection))
    world = workshop.copy(job.origin)
    one = injected(workshop, world, job.command(world), injection)
    said = run(one.command, job.seconds)
    look_at(trial, said, "the command with the moved clock")
    if said.code != 0 and not said.is_blocked:
        trial.message = said.message.replace(str(world.folder), "...")
        trial.add("blocked", f"the command with the moved clock fails: {said.message[:200]}")
    recover(workshop, job, world, trial)
    return trial
