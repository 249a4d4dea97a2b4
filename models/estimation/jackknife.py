"""Jackknife: standard errors and intervals from leaving groups of rows out, one group at a time.

With G groups, and the estimate without each of them, the variance is (G - 1) / G times the sum of
squared deviations of these G replicates from their mean (Tukey 1958, Annals of Mathematical
Statistics 29:614; Efron and Tibshirani 1993, An Introduction to the Bootstrap, equation 11.5). A
group is what is taken as independent of the others: a model, some models, or a lineage. Where
groups are clusters of a regression this is CV3 (MacKinnon, Nielsen and Webb 2023, Journal of
Econometrics 232(2):272-299). Intervals have Student's t with G - 1 degrees of freedom.

Nothing is drawn at random, so that two builds agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtrit

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]


class Scale(NamedTuple):
    """A scale on which replicates are near normal, so that an interval is made there."""

    forward: Callable[[Floats], Floats]
    inverse: Callable[[Floats], Floats]

    def of(self, values: Floats) -> Floats:
        """`values` on the scale; NaN where it is unbounded."""
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = self.forward(values)
        return np.where(np.isfinite(scaled), scaled, np.nan)


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Standard error and confidence interval of an array of estimates, in its shape.

    All are NaN where a replicate is NaN and with fewer than two replicates. An interval is also NaN
    where the scale it is made on is unbounded: a ratio of 0 or 1, a loading of -1 or 1, in the
    estimate or in any replicate.
    """

    standard_error: Floats
    """On the scale of the estimate itself."""
    low: Floats
    high: Floats
    t_quantile: float
    """Multiple of the standard error in the interval, on the scale that it is made on."""


def _logit(ratio: Floats) -> Floats:
    # A singular correlation matrix has eigenvalues of rounding size: they are zeros.
    ratio = np.where(ratio < 1e-12, 0.0, ratio)
    logit: Floats = np.log(ratio) - np.log1p(-ratio)
    return logit


def _inverse_logit(logit: Floats) -> Floats:
    ratio: Floats = 1.0 / (1.0 + np.exp(-logit))
    return ratio


def _unchanged(values: Floats) -> Floats:
    return values


LINEAR = Scale(_unchanged, _unchanged)
LOGIT = Scale(_logit, _inverse_logit)
"""Of shares, 0 to 1."""
FISHER_Z = Scale(np.arctanh, np.tanh)
"""Of correlations, -1 to 1."""


class Jackknife:
    """Gathers the replicates of an estimate, one by one or many at once, and keeps their sums only.

    The replicates of all abilities of a large panel would not fit in memory. What is summed are
    differences from the estimate, which keeps the variance from cancelling.
    """

    def __init__(self, estimate: ArrayLike, scale: Scale = LINEAR) -> None:
        """Of an `estimate` on all rows, in any shape, with intervals made on `scale`."""
        self._scale = scale
        self._plain = _Sums(np.asarray(estimate, dtype=np.float64))
        self._scaled = self._plain if scale is LINEAR else _Sums(scale.of(self._plain.centre))

    def add(self, replicates: Floats) -> None:
        """Takes (g, ...) estimates, each with another group left out."""
        self._plain.add(replicates)
        if self._scaled is not self._plain:
            self._scaled.add(self._scale.of(replicates))

    def uncertainty(self, confidence: float = 0.95) -> Uncertainty:
        """From the replicates added so far; `confidence` is the coverage aimed at."""
        quantile = float(stdtrit(self._plain.count - 1, (1.0 + confidence) / 2.0))
        centre, margin = self._scaled.centre, quantile * self._scaled.standard_error()
        return Uncertainty(
            standard_error=self._plain.standard_error(),
            low=self._scale.inverse(centre - margin),
            high=self._scale.inverse(centre + margin),
            t_quantile=quantile,
        )


class _Sums:
    """Sums of differences from `centre` and of their squares."""

    def __init__(self, centre: Floats) -> None:
        self.centre = centre
        self.count = 0
        self._sum = np.zeros_like(centre)
        self._squares = np.zeros_like(centre)

    def add(self, values: Floats) -> None:
        differences = values - self.centre
        self.count += len(differences)
        self._sum += differences.sum(axis=0)
        self._squares += np.einsum("g...,g...->...", differences, differences)

    def standard_error(self) -> Floats:
        if self.count < 2:
            return np.full_like(self.centre, np.nan)
        squares = np.maximum(self._squares - self._sum**2 / self.count, 0.0)
        standard_error: Floats = np.sqrt((self.count - 1) / self.count * squares)
        return standard_error


def delete_groups(row_count: int) -> Integers:
    """(n,) group of each row, where each row is independent of the others.

    Up to 200 rows each row is its own group. Beyond, row i goes to group i modulo 50: the cost is
    then that of 50 fits whatever the number of rows, while the standard error itself is known to
    about 1 / sqrt(2 x 49) = 10 percent and the t quantile (2.01) is hardly above the normal one.
    Neighbouring rows, often one family's, land in different groups: a group is then a cross-section
    of the panel, and rows count as independent, as they do when each is a group.
    """
    positions = np.arange(row_count)
    return positions if row_count <= 200 else positions % 50
