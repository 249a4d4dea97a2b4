"""Lineage lines: many least-squares slopes at once, with intervals that take lineages as units."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]
    Integers = NDArray[np.intp]


class Slopes(NamedTuple):
    """Least-squares slopes and their classical standard errors; NaN where undefined."""

    slope: Floats
    standard_error: Floats


class LineageErrors(NamedTuple):
    """Standard errors over lineages."""

    standard_error: Floats
    """NaN with fewer than three lineages, or if an estimate without one of them is NaN."""
    lineage_count: Integers
    is_floored: Flags
    """Whether it would have been smaller than the error that takes models as independent."""


def centred(x: Floats, value: Floats) -> tuple[Floats, Floats, Flags]:
    """(..., n) `x` and `value` from their means, and where both are numbers; 0 elsewhere."""
    x, value = np.broadcast_arrays(x, value)
    present = np.isfinite(x) & np.isfinite(value)
    count = np.maximum(present.sum(axis=-1, keepdims=True), 1)
    means = [
        np.where(present, part, 0.0).sum(axis=-1, keepdims=True) / count for part in (x, value)
    ]
    return (
        np.where(present, x - means[0], 0.0),
        np.where(present, value - means[1], 0.0),
        present,
    )


def least_squares_slopes(x: Floats, value: Floats) -> Slopes:
    """(...) slopes of `value` on `x`, over the last axis; a model with NaN in either is left out.

    NaN with fewer than three models, or all at one x.
    """
    x, y, present = centred(x, value)
    count, squares = present.sum(axis=-1), (x * x).sum(axis=-1)
    is_line = (count >= 3) & (squares > 1e-18)
    squares = np.where(is_line, squares, np.nan)
    slope = (x * y).sum(axis=-1) / squares
    residuals = np.where(present, y - slope[..., None] * x, 0.0)
    freedom = np.where(is_line, count - 2, np.nan)
    return Slopes(slope, np.sqrt((residuals**2).sum(axis=-1) / freedom / squares))


def lineage_errors(
    estimate: Floats, replicates: Floats, lineage_count: Integers, floor: Floats
) -> LineageErrors:
    """Delete-one-lineage jackknife, no smaller than the error of independent models.

    The variance is (G - 1) / G times the sum, over the lineages left out, of squared differences
    from the estimate of all (CV3, see `models.estimation.jackknife`). A lineage without a model in
    the fit may still move the values of the others, and then counts in the sum. With few lineages
    the sum can be smaller than chance allows.

    Args:
        estimate: (...), of all lineages.
        replicates: (L, ...), the same with each of L lineages left out.
        lineage_count: (...), G, lineages with a model in the estimate.
        floor: (...), standard error that takes models as independent.
    """
    squares = ((replicates - estimate) ** 2).sum(axis=0)
    count = np.maximum(lineage_count, 1)
    error = np.sqrt((count - 1) / count * np.where(lineage_count < 3, np.nan, squares))
    return LineageErrors(np.maximum(error, floor), lineage_count, error < floor)


def t_quantiles(lineage_count: Integers, confidence: float = 0.95) -> Floats:
    """(...) multiple of the standard error in a two-sided interval, with one degree less."""
    freedom = np.maximum(lineage_count - 1, 1).astype(np.float64)
    return np.asarray(stdtrit(freedom, (1.0 + confidence) / 2.0), dtype=np.float64)


def p_values(estimate: Floats, errors: LineageErrors) -> Floats:
    """(...) two-sided p-values of no slope; NaN without a standard error, or with one of 0."""
    with np.errstate(invalid="ignore"):
        error = np.where(errors.standard_error > 0, errors.standard_error, np.nan)
        deviate = np.abs(estimate) / error
    freedom = np.maximum(errors.lineage_count - 1, 1).astype(np.float64)
    p_value: Floats = 2.0 * stdtr(freedom, -deviate)
    return p_value


def bound_quantiles(
    width: Floats, standard_error: Floats, lineage_count: Integers, confidence: float = 0.95
) -> Floats:
    """(...) multiple of the standard errors to go out from both ends of an identified set.

    The slope itself, wherever in the set it is, is then covered as often as `confidence` says
    (Imbens and Manski 2004, Econometrica 72(6):1845-1857; with Student's t for the
    normal distribution, since errors are over few lineages). It is the two-sided quantile for a set
    of no `width`, and falls to the one-sided one as the set gets wide. `standard_error` is the
    larger one of the two ends.
    """
    freedom = np.maximum(lineage_count - 1, 1).astype(np.float64)
    low, high = (stdtrit(freedom, level) for level in (confidence, (1.0 + confidence) / 2.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(standard_error > 0, width / standard_error, np.where(width > 0, np.inf, 0.0))
    gap = np.where(np.isnan(standard_error), np.nan, gap)
    for _ in range(50):
        middle = (low + high) / 2.0
        short = stdtr(freedom, middle + gap) - stdtr(freedom, -middle) < confidence
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    quantile: Floats = np.where(np.isnan(gap), np.nan, high)
    return quantile
