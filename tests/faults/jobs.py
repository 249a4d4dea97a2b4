"""Jobs: what is disturbed, and how it is told whether all of it was done in the end."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.dbt_project import REPOSITORY
from tests.faults.processes import Command
from tests.faults.states import (
    asked_twice,
    lines_state,
    marts_state,
    parquet_state,
    raw_state,
    wrong_answers,
)
from tests.faults.worlds import LOGGED_ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.states import State
    from tests.faults.worlds import Workshop, World
SCORES = ("build", "-s", "+fct_run_scores", "+fct_item_scores")
"""What dbt is told to make the scores of runs, and no more."""


@dataclass(frozen=True, slots=True)
class Job:
    """A command, what it starts from, and what it leaves."""

    name: str
    origin: str
    """Name of the world that it starts from."""
    command: Callable[[World], Command]
    state: Callable[[World], State]
    """What it is for, once it is done."""
    seconds: float = 60.0
    """After these it is blocked; several times what it takes on a busy machine."""
    publishes: bool = False
    """It writes the warehouse, which others go on reading."""


def _raw(world: World) -> State:
    return raw_state(world.store)


def _marts(world: World) -> State:
    return marts_state(world.warehouse)


def _parquet(world: World) -> Command:
    query = "select * from marts.fct_item_scores order by all"
    return world.evalwh("sql", query, "--parquet", str(world.folder / "scores.parquet"))


def _app(world: World) -> Command:
    line = (sys.executable, "-m", "tests.faults.visitor")
    return Command(line, REPOSITORY, world.environment)


JOBS = {
    job.name: job
    for job in (
        Job("run", "nothing", lambda world: world.ask(), _raw),
        Job("load", "shards", lambda world: world.evalwh("load"), _raw),
        Job("measure", "asked", lambda world: world.evalwh("measure"), _raw),
        Job("import", "nothing", lambda world: world.evalwh("import", str(LOGGED_ELSEWHERE)), _raw),
        Job("migrate", "old", lambda world: world.evalwh("load"), _raw),
        Job(
            "sql --parquet",
            "built",
            _parquet,
            lambda world: parquet_state(world.folder / "scores.parquet"),
        ),
        Job(
            "export",
            "built",
            lambda world: world.evalwh("export", world.run_id(), str(world.folder / "exported")),
            lambda world: lines_state(world.folder / "exported"),
        ),
        Job(
            "dbt build, scores",
            "grown",
            lambda world: world.dbt(*SCORES),
            _marts,
            seconds=240,
            publishes=True,
        ),
        Job(
            "dbt build",
            "grown",
            lambda world: world.dbt("build"),
            _marts,
            seconds=480,
            publishes=True,
        ),
        Job("app", "built", _app, lambda world: lines_state(world.folder), seconds=120),
    )
}
"""The jobs, by name."""


def wrongs(job: Job, world: World, workshop: Workshop) -> tuple[list[str], list[str]]:
    """Beyond the comparison of rows: requests answered wrongly, and asked twice."""
    if job.name not in ("run", "load", "measure"):
        return [], []
    return wrong_answers(world.store, workshop.known_tokenizer), asked_twice(world.store)
