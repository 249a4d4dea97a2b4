"""Processes: how values come about in which siblings are alike, with a known answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tests.statistics.designs import PanelDesign, SlopeDesign

SLOPE = 0.5
"""Of the lines, in standard deviations of the error per decade of compute."""


class Process(NamedTuple):
    """How much of what makes models differ is their lineage's."""

    name: str
    intra_lineage_correlation: float
    """Of the errors of two models of a lineage; within and between, errors have variance one."""
    slope_deviation: float = 0.0
    """Standard deviation, over lineages, of the slope, in standard deviations of the error per
    standard deviation of compute."""


INDEPENDENT = Process("0", 0.0)
ALIKE = Process(".5", 0.5)
VERY_ALIKE = Process(".8", 0.8)
RANDOM_SLOPES = Process(".5 and slopes", 0.5, slope_deviation=0.5)

OF_PANELS = (INDEPENDENT, ALIKE, VERY_ALIKE)
OF_SLOPES = (*OF_PANELS, RANDOM_SLOPES)


def values(
    generator: np.random.Generator, design: SlopeDesign, process: Process, repetitions: int
) -> np.ndarray:
    """(repetitions, n) values on a line of slope `SLOPE`, in units of the error."""
    x = design.log10_train_flop - design.log10_train_flop.mean()
    drawn = SLOPE * x + _shared(generator, design.lineages, process, (repetitions, len(x)))
    if process.slope_deviation:
        slopes = generator.standard_normal((repetitions, design.lineage_count))
        drawn += process.slope_deviation * slopes[:, design.lineages] * x / x.std()
    return drawn


def scores(
    generator: np.random.Generator, design: PanelDesign, process: Process, repetitions: int
) -> np.ndarray:
    """(repetitions, n, p) standardised scores, those too that the panel misses."""
    return correlated(generator, design.lineages, process, repetitions, design.correlation)


def correlated(
    generator: np.random.Generator,
    lineages: np.ndarray,
    process: Process,
    repetitions: int,
    covariance: np.ndarray,
) -> np.ndarray:
    """(repetitions, n, p) normal draws with the (p, p) covariance, alike within lineages."""
    shape = (repetitions, len(lineages), len(covariance))
    return _shared(generator, lineages, process, shape) @ np.linalg.cholesky(covariance).T


def _shared(
    generator: np.random.Generator,
    lineages: np.ndarray,
    process: Process,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Standard normal draws, models along axis 1, correlated within a lineage."""
    part = process.intra_lineage_correlation
    of_lineages = generator.standard_normal((shape[0], lineages.max() + 1, *shape[2:]))
    return np.sqrt(part) * of_lineages[:, lineages] + np.sqrt(
        1.0 - part
    ) * generator.standard_normal(shape)
