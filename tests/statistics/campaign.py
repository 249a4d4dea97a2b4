"""Campaign: the coverage of every interval at every design, and what mutants the tests let live.

    python -m tests.statistics [--only PART] [--repetitions N] [--seed S] [--workers 2]

Exits with 1 where an interval breaks its promise, or a mutant lives. The warehouse has to be built:
its panels are the designs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tests.dbt_project import REPOSITORY, dbt_environment, run_dbt
from tests.statistics import abilities, components, correlations, mutants, slopes
from tests.statistics.checking import Row, table
from tests.statistics.designs import (
    AbilityDesign,
    PanelDesign,
    SlopeDesign,
    ability_designs,
    panel_designs,
    panel_of_many_lineages,
    slope_designs,
    slopes_of_many_lineages,
)
from tests.statistics.processes import OF_PANELS, OF_SLOPES, Process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARTS = ("slopes", "correlations", "components", "abilities", "mutants")

REPETITIONS = {"slopes": 10_000, "correlations": 10_000, "components": 2_000, "abilities": 1_500}


class Task(NamedTuple):
    """One design and process of a part, small enough for a worker."""

    part: str
    design: SlopeDesign | PanelDesign | AbilityDesign | correlations.Pair
    process: Process
    repetitions: int
    seed: int
    sql: dict[str, str]

    @property
    def name(self) -> str:
        design = self.design.design if isinstance(self.design, correlations.Pair) else self.design
        return f"{self.part}, {design.name}, {self.process.name}"


def perform(task: Task) -> list[Row]:
    """The rows of a task, drawn from its own stream, whatever else is run."""
    generator = np.random.default_rng([task.seed, zlib.crc32(task.name.encode())])
    if isinstance(task.design, SlopeDesign):
        return slopes.rows(task.design, task.process, generator, task.repetitions)
    if isinstance(task.design, PanelDesign):
        return components.rows(task.design, task.process, generator, task.repetitions)
    if isinstance(task.design, AbilityDesign):
        return abilities.rows(task.design, task.process, generator, task.repetitions)
    return correlations.rows(task.sql, task.design, task.process, generator, task.repetitions)


def planned(
    warehouse: Path, sql: dict[str, str], parts: Iterable[str], repetitions: int | None, seed: int
) -> Iterator[Task]:
    """The tasks of the parts; `repetitions` of each, or as many as each part is made for."""
    for part in parts:
        count = repetitions or REPETITIONS[part]
        if part == "slopes":
            for slope_design in [slopes_of_many_lineages(), *slope_designs(warehouse)]:
                for process in OF_SLOPES:
                    yield Task(part, slope_design, process, count, seed, {})
            continue
        if part == "abilities":
            for ability_design in ability_designs(warehouse):
                for process in OF_PANELS:
                    yield Task(part, ability_design, process, count, seed, {})
            continue
        panels = panel_designs(warehouse)
        for panel in [panel_of_many_lineages(panels[0]), *panels]:
            for process in OF_PANELS:
                if part == "components":
                    # EM takes some hundred times as long as what needs one step.
                    share = 1 if panel.observed.all() else 8
                    yield Task(part, panel, process, count // share, seed, {})
                    continue
                for pair in correlations.pairs(panel):
                    yield Task(part, pair, process, count, seed, sql)


def compiled() -> dict[str, str]:
    """The SQL of correlations, as dbt compiles it."""
    with tempfile.TemporaryDirectory(prefix="statistics-") as name:
        said = run_dbt("compile", "--select", *correlations.STEPS, env=dbt_environment(Path(name)))
        if said.returncode:
            raise subprocess.SubprocessError(said.stdout)
        return correlations.statements(Path(name) / "target" / "compiled" / "evalwh" / "models")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.statistics")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part, no other")
    parser.add_argument("--repetitions", type=int, help="so many of each design and process")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    parts = options.only or PARTS
    warehouse = REPOSITORY / os.environ.get("EVALWH_WAREHOUSE", "data/warehouse.duckdb")
    sql = compiled() if "correlations" in parts else {}
    drawn = [part for part in parts if part != "mutants"]
    tasks = list(planned(warehouse, sql, drawn, options.repetitions, options.seed))
    rows: list[Row] = []
    with ProcessPoolExecutor(options.workers) as pool:
        for number, (task, found) in enumerate(
            zip(tasks, pool.map(perform, tasks), strict=True), 1
        ):
            rows += found
            passed = time.monotonic() - started
            print(f"{passed:5.0f} s {number}/{len(tasks)} {task.name}", flush=True)
    broken = [row for row in rows if row.is_broken]
    if rows:
        print(f"\n{table(rows)}\n\n{len(broken)} of {len(rows)} promises broken")
    living = mutants.living(print) if "mutants" in parts else []
    if broken or living:
        sys.exit(1)
