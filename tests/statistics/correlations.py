"""Correlations: intervals over lineages and over models, by the SQL that the warehouse is built of.

Every repetition is a panel of two benchmarks of its own, and all are computed at once.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import numpy as np
import pandas as pd

from tests.statistics import designs
from tests.statistics.checking import MANY, USUAL, Intervals, Row, row
from tests.statistics.designs import PanelDesign
from tests.statistics.processes import INDEPENDENT, Process, scores
from warehouse.functions import Plugin

if TYPE_CHECKING:
    from pathlib import Path

STEPS = {
    "int_score_pairs": "view",
    "int_rank_correlations": "view",
    "int_benchmark_correlations": "table",
}
"""Of the warehouse's models, in their order: how each is kept."""


def statements(compiled: Path) -> dict[str, str]:
    """SQL of the steps by name, from the folder dbt compiled models into."""
    return {
        name: (compiled / "intermediate" / f"{name}.sql").read_text(encoding="utf-8")
        for name in STEPS
    }


class Pair(NamedTuple):
    """Two benchmarks of a panel."""

    name: str
    design: PanelDesign
    """Of the models that have both, and the two benchmarks."""

    @property
    def correlation(self) -> float:
        return float(self.design.correlation[0, 1])


def pairs(panel: PanelDesign) -> list[Pair]:
    """The least and the most correlated pair, and the pair that fewest models have, if any miss."""
    first, second = np.triu_indices(len(panel.correlation), 1)
    sizes = np.abs(panel.correlation[first, second])
    counts = (panel.observed[:, first] & panel.observed[:, second]).sum(axis=0)
    picked = {"least alike": sizes.argmin(), "most alike": sizes.argmax()}
    if counts.min() < counts.max():
        picked["fewest models"] = counts.argmin()
    found = []
    for name, index in picked.items():
        columns = [first[index], second[index]]
        has_both = panel.observed[:, columns].all(axis=1)
        lineages = np.unique(panel.lineages[has_both], return_inverse=True)[1]
        design = PanelDesign(
            f"{panel.name}, {name}",
            lineages,
            np.ones((len(lineages), 2), dtype=bool),
            panel.correlation[np.ix_(columns, columns)],
        )
        found.append(Pair(name, design))
    return found


def correlations(sql: dict[str, str], panels: np.ndarray, lineages: np.ndarray) -> pd.DataFrame:
    """What the warehouse says of each of (r, n, 2) panels, a row each in their order."""
    repetitions, n = panels.shape[:2]
    repetition = np.repeat(np.arange(repetitions), 2 * n)
    table = pd.DataFrame(
        {
            "panel_id": repetition,
            "model_id": np.tile(np.repeat(np.arange(n), 2), repetitions),
            "lineage_id": np.tile(np.repeat(lineages, 2), repetitions),
            "benchmark_id": np.tile(["first", "second"], repetitions * n),
            "score": panels.ravel(),
        }
    )
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("attach ':memory:' as warehouse; use warehouse")
        connection.execute("create schema intermediate")
        Plugin(name="functions", plugin_config={}).configure_connection(connection)
        # The plugin is made for one build, and keeps the collector from all that is there.
        gc.unfreeze()
        connection.register("drawn", table)
        connection.execute("create table intermediate.int_panel_scores as select * from drawn")
        for name, kind in STEPS.items():
            connection.execute(f"create {kind} intermediate.{name} as {sql[name]}")
        found: pd.DataFrame = connection.execute(
            "select * from intermediate.int_benchmark_correlations order by panel_id"
        ).df()
    return found


def intervals(
    sql: dict[str, str],
    pair: Pair,
    process: Process,
    generator: np.random.Generator,
    repetitions: int,
) -> dict[str, Intervals]:
    """By kind: over lineages, over models, and of ranks over models; on Fisher's z scale."""
    design = pair.design
    found = correlations(sql, scores(generator, design, process, repetitions), design.lineages)
    # Spearman's rho of a bivariate normal distribution (Pearson 1907).
    truth = pair.correlation
    truth_of_ranks = 6.0 / np.pi * np.arcsin(truth / 2.0)
    return {
        "pearson over lineages": _on_z(found, "pearson", "pearson_lineage", truth),
        "pearson over models": _on_z(found, "pearson", "pearson", truth),
        "spearman over models": _on_z(found, "spearman", "spearman", truth_of_ranks),
    }


def rows(
    sql: dict[str, str],
    pair: Pair,
    process: Process,
    generator: np.random.Generator,
    repetitions: int,
) -> list[Row]:
    """A row for each kind of interval; those over models promise only what holds of models."""
    design = pair.design
    lineages = (design.lineage_count, design.effective_lineage_count)
    models = (len(design.lineages), float(len(design.lineages)))
    promise = MANY if design.name.startswith(designs.MANY) else USUAL
    found = intervals(sql, pair, process, generator, repetitions)
    over_lineages = found.pop("pearson over lineages")
    return [
        row(design.name, process.name, "pearson over lineages", promise, lineages, over_lineages),
        *(
            row(
                design.name,
                process.name,
                kind,
                promise if process == INDEPENDENT else None,
                models,
                over_models,
            )
            for kind, over_models in found.items()
        ),
    ]


def _on_z(found: pd.DataFrame, estimate: str, interval: str, truth: float) -> Intervals:
    low = found[f"{interval}_ci_low"].to_numpy(np.float64)
    high = found[f"{interval}_ci_high"].to_numpy(np.float64)
    return Intervals(
        estimate=np.arctanh(found[estimate].to_numpy(np.float64)),
        margin=(np.arctanh(high) - np.arctanh(low)) / 2.0,
        truth=float(np.arctanh(truth)),
        width=high - low,
    )
