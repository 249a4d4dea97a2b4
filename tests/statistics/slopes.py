"""Slopes: every method's interval, on values drawn at the compute that the panels have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.estimation.cluster_robust import fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.random_intercepts import fit_lineage_random_intercepts
from models.estimation.scaling import fit_ols
from tests.statistics import designs
from tests.statistics.checking import EXACT, MANY, USUAL, WIDE, Intervals, Promise, Row, row
from tests.statistics.processes import INDEPENDENT, OF_SLOPES, RANDOM_SLOPES, SLOPE, Process, values

if TYPE_CHECKING:
    from models.estimation.scaling import ScalingFit
    from tests.statistics.designs import SlopeDesign

FITS = (
    fit_ols,
    fit_lineage_jackknife,
    fit_lineage_cr2,
    fit_lineage_fixed_effects,
    fit_lineage_random_intercepts,
)

PROMISES: dict[str, dict[Process, Promise | None]] = {
    # Least squares is exact where models are independent, and elsewhere promises nothing.
    "ols": dict.fromkeys(OF_SLOPES) | {INDEPENDENT: EXACT},
    # Its error is never below that of least squares, with fewer degrees of freedom.
    "ols_lineage_jackknife": {INDEPENDENT: WIDE},
    # It takes lineages to differ in their level only; where they do not differ at all, Student's t
    # still has their number less one.
    "lineage_random_intercepts": {INDEPENDENT: WIDE, RANDOM_SLOPES: None},
}
"""By method and process, at the panels' sizes; all else promises what is usual."""


def promise(design: SlopeDesign, method: str, process: Process) -> Promise | None:
    """What the method promises; with many lineages less is granted, unless it is wide by design."""
    promised = PROMISES.get(method, {}).get(process, USUAL)
    return MANY if design.name == designs.MANY and promised == USUAL else promised


def rows(
    design: SlopeDesign, process: Process, generator: np.random.Generator, repetitions: int
) -> list[Row]:
    """A row for each method, all of them on the same draws."""
    drawn = values(generator, design, process, repetitions).T
    fits = [fit(design.log10_train_flop, drawn, design.lineages) for fit in FITS]
    return [
        row(
            design.name,
            process.name,
            fit.method,
            promise(design, fit.method, process),
            units(fit),
            intervals(fit, SLOPE),
        )
        for fit in fits
    ]


def units(fit: ScalingFit) -> tuple[int, float]:
    """What the method takes as independent: how many, and how many of equal weight tell as much.

    Random intercepts have another effective number in each repetition, of which this is the median.
    """
    if fit.method == "ols":
        return fit.model_count, float(fit.model_count)
    known = fit.effective_lineage_count[~np.isnan(fit.effective_lineage_count)]
    return fit.lineage_count, float(np.median(known)) if len(known) else float("nan")


def intervals(fit: ScalingFit, truth: np.ndarray | float) -> Intervals:
    """Of a fit of as many values as repetitions."""
    width = fit.slope_ci_high - fit.slope_ci_low
    return Intervals(estimate=fit.slope, margin=width / 2.0, truth=truth, width=width)
