"""Slopes: every method's interval, on values drawn at the compute that the panels have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from models.estimation.scaling import fit_lineage_jackknife, fit_ols
from tests.statistics.checking import EXACT, USUAL, Intervals, Promise, Row, row
from tests.statistics.processes import INDEPENDENT, OF_SLOPES, SLOPE, Process, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.estimation.scaling import ScalingFit
    from tests.statistics.designs import SlopeDesign


class Method(NamedTuple):
    """A way to fit a slope, and what it promises of which process."""

    fit: Callable[[Any, Any, Any], ScalingFit]
    over: Literal["models", "lineages"]
    """What it takes as independent."""
    promises: dict[Process, Promise | None]
    """By process; of the others `USUAL`."""


METHODS = {
    # Least squares takes models as independent, and is exact where they are.
    "ols": Method(fit_ols, "models", dict.fromkeys(OF_SLOPES) | {INDEPENDENT: EXACT}),
    "ols_lineage_jackknife": Method(fit_lineage_jackknife, "lineages", {}),
}


def intervals(
    design: SlopeDesign,
    process: Process,
    fit: Callable[[Any, Any, Any], ScalingFit],
    generator: np.random.Generator,
    repetitions: int,
) -> Intervals:
    """Of `fit` on as many draws."""
    fits = [
        fit(design.log10_train_flop, drawn, design.lineages)
        for drawn in values(generator, design, process, repetitions)
    ]
    low = np.array([fit.slope_ci_low for fit in fits])
    high = np.array([fit.slope_ci_high for fit in fits])
    return Intervals(
        estimate=np.array([fit.slope for fit in fits]),
        margin=(high - low) / 2.0,
        truth=SLOPE,
        width=high - low,
    )


def rows(
    design: SlopeDesign, process: Process, generator: np.random.Generator, repetitions: int
) -> list[Row]:
    """A row for each method."""
    counts = {
        "models": (len(design.lineages), float(len(design.lineages))),
        "lineages": (design.lineage_count, design.effective_lineage_count),
    }
    return [
        row(
            design.name,
            process.name,
            name,
            method.promises.get(process, USUAL),
            counts[method.over],
            intervals(design, process, method.fit, generator, repetitions),
        )
        for name, method in METHODS.items()
    ]
