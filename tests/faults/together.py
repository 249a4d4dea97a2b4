"""Together: two commands at once in one world; both end in time, and what they leave is right."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.faults.jobs import JOBS
from tests.faults.processes import Running
from tests.faults.reader import reading
from tests.faults.recovering import look_at, recover
from tests.faults.troubles import Trial
from tests.faults.worlds import LOGGED_ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.processes import Command
    from tests.faults.worlds import Workshop, World


class Pair(NamedTuple):
    """Two commands, and the job whose outcome is what both have to leave."""

    job: str
    first: Callable[[World], Command]
    second: Callable[[World], Command]


def _load(world: World) -> Command:
    return world.evalwh("load")


def _import(world: World) -> Command:
    return world.evalwh("import", str(LOGGED_ELSEWHERE))


PAIRS = {
    "run and run": Pair("run", lambda world: world.ask(), lambda world: world.ask()),
    "run and load": Pair("run", lambda world: world.ask(), _load),
    "run and status": Pair("run", lambda world: world.ask(), lambda world: world.evalwh("status")),
    "load and load": Pair("load", _load, _load),
    "measure and measure": Pair(
        "measure", lambda world: world.evalwh("measure"), lambda world: world.evalwh("measure")
    ),
    "measure and load": Pair("measure", lambda world: world.evalwh("measure"), _load),
    "import and import": Pair("import", _import, _import),
    "migrate and migrate": Pair("migrate", _load, _load),
    "dbt build and load": Pair("dbt build, scores", JOBS["dbt build, scores"].command, _load),
    "dbt build and dbt build": Pair(
        "dbt build, scores",
        JOBS["dbt build, scores"].command,
        JOBS["dbt build, scores"].command,
    ),
}

SHARES = {
    "run and run": 3,
    "run and load": 3,
    "run and status": 1,
    "load and load": 4,
    "measure and measure": 2,
    "measure and load": 2,
    "import and import": 3,
    "migrate and migrate": 3,
    "dbt build and load": 1,
    "dbt build and dbt build": 1,
}
"""Encounters of the full campaign, by pair."""


def trials(workshop: Workshop, seed: int, shares: dict[str, int]) -> Iterator[Callable[[], Trial]]:
    """So many encounters of each pair, the second a moment after the first."""
    for name, count in shares.items():
        generator = random.Random(f"{seed} {name}")
        for number in range(count):
            # At the very same moment, too.
            seconds = generator.uniform(0, 1.5) if number else 0.0
            yield partial(meet, workshop, name, seconds)


def meet(workshop: Workshop, name: str, seconds: float) -> Trial:
    """Start both, wait for both; whoever was kept out has to say so. Then the job once more."""
    pair = PAIRS[name]
    job = JOBS[pair.job]
    world = workshop.copy(job.origin)
    trial = Trial("two at once", name, f"{seconds:.2f} s after each other")
    limit = 2 * job.seconds
    with reading(world.warehouse) as reports:
        first = Running(pair.first(world))
        time.sleep(seconds)
        second = Running(pair.second(world))
        for which, running in (("the first", first), ("the second", second)):
            said = running.end(limit)
            look_at(trial, said, which)
            if said.code != 0 and not said.is_blocked and not said.has_traceback:
                trial.message = trial.message or said.message.replace(str(world.folder), "...")
                if len(said.message) < len("Error: busy"):
                    trial.add("unsaid", f"{which} fails and says {said.message!r}")
    if reports.failures:
        trial.add(
            "unreadable",
            f"{len(reports.failures)} of {reports.count} reads failed: {reports.failures[0]}",
        )
    recover(workshop, job, world, trial)
    return trial
