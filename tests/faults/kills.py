"""Kills: SIGKILL at random moments, and right before and after calls that change files."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING

import psutil

from tests.faults.injecting import Injection, injected
from tests.faults.jobs import JOBS
from tests.faults.processes import Running, orphans
from tests.faults.reader import reading
from tests.faults.recovering import look_at, recover, undisturbed
from tests.faults.troubles import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.jobs import Job
    from tests.faults.processes import Said
    from tests.faults.worlds import Workshop

SHARES = {
    "run": 56,
    "load": 56,
    "measure": 16,
    "import": 28,
    "migrate": 24,
    "sql --parquet": 10,
    "export": 10,
    "dbt build, scores": 6,
    "app": 6,
    "dbt build": 4,
}
"""Kills of the full campaign, by job."""


def trials(workshop: Workshop, seed: int, shares: dict[str, int]) -> Iterator[Callable[[], Trial]]:
    """So many kills of each job, at moments that the seed decides."""
    for name, count in shares.items():
        generator = random.Random(f"{seed} {name}")
        for number in range(count):
            # Even ones spread over the whole time, odd ones over the calls that change files.
            share = (number // 2 + generator.random()) / max(1, (count + 1) // 2)
            how = ("time", generator.choice(["before", "after"]))[number % 2]
            yield partial(kill_once, workshop, JOBS[name], how, min(share, 1.0))


def kill_once(workshop: Workshop, job: Job, how: str, share: float) -> Trial:
    """Kill the job after that share of its time or of its calls, and let it recover."""
    whole = undisturbed(workshop, job)
    world = workshop.copy(job.origin)
    command = job.command(world)
    with ExitStack() as readers:
        reports = readers.enter_context(reading(world.warehouse)) if job.publishes else None
        if how == "time":
            seconds = share * whole.seconds
            trial = Trial("kill", job.name, f"killed after {seconds:.2f} s")
            said, children = _killed(Running(command), job.seconds, seconds)
        else:
            at = max(1, round(share * whole.call_count))
            injection = Injection(at, kill=how)
            trial = Trial("kill", job.name, str(injection))
            hit = injected(workshop, world, command, injection)
            said, children = _killed(Running(hit.command), job.seconds, None)
            trial.disturbance += f" ({hit.hit.replace(str(world.folder), '')})"
        trial.was_disturbed = said.code == -9
        look_at(trial, said, "the killed command")
        left = orphans(world.mark, 5) + _alive(children)
        if left:
            trial.add("left behind", f"{len(left)} processes, such as {left[0]}")
        recover(workshop, job, world, trial)
    if reports is not None and reports.failures:
        trial.add(
            "unreadable",
            f"{len(reports.failures)} of {reports.count} reads failed: {reports.failures[0]}",
        )
    return trial


def _killed(
    running: Running, limit: float, seconds: float | None
) -> tuple[Said, set[psutil.Process]]:
    """What the command said, killed after `seconds` if they are given; and its children."""
    children: set[psutil.Process] = set()
    started = time.monotonic()
    while not running.is_over and time.monotonic() < started + limit:
        remaining = None if seconds is None else started + seconds - time.monotonic()
        if remaining is not None and remaining <= 0:
            running.kill()
            break
        with suppress(psutil.Error):
            children |= set(psutil.Process(running.process.pid).children(recursive=True))
        time.sleep(0.05 if remaining is None else min(0.05, remaining))
    return running.end(limit), children


def _alive(children: set[psutil.Process]) -> list[str]:
    """Children that outlived their parent by 5 seconds; they are ended."""
    _, left = psutil.wait_procs(children, timeout=5)
    names = []
    for process in left:
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                names.append(process.name())
                process.kill()
    return names
