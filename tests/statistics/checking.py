"""Checking: how often intervals hold the truth, beside how often they promise to.

A promise is broken where all coverages that the trials are compatible with lie outside of it: the
exact binomial bounds (Clopper and Pearson 1934, Biometrika 26:404-413) at a level so high that a
table of some hundred rows rejects a sound estimator once in a hundred runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.9999
"""Of the binomial bounds."""
FEWEST_EFFECTIVE = 3.0
"""Effective units from which on a promise is held to."""
TOO_FEW_EFFECTIVE = 2.0
"""Effective units below which nothing can be told, whatever the interval says."""

Verdict = Literal["holds", "too narrow", "too wide", "cannot be told", "few units", "no promise"]


class Promise(NamedTuple):
    """The coverages that a 95% interval may have."""

    lowest: float
    highest: float


EXACT = Promise(0.95, 0.95)
"""Where theory is exact, whatever the number of models."""
MANY = Promise(0.945, 0.955)
"""With many lineages of equal size, where every method should come near to what is exact."""
USUAL = Promise(0.93, 0.97)
"""At the panels' own sizes."""
SHARES = Promise(0.91, 0.97)
"""Of shares of variance: the eigenvalues of a few models spread too far."""
WIDE = Promise(0.93, 0.99)
"""Of intervals that allow for dependence and are given independent models."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """95% intervals of many repetitions, on the scale that they are symmetric on."""

    estimate: np.ndarray
    """(r,)."""
    margin: np.ndarray
    """(r,) half widths; NaN where there is no interval."""
    truth: np.ndarray | float
    """(r,) or one for all."""
    width: np.ndarray
    """(r,) on the scale that readers see."""

    def scaled(self, factor: float) -> Intervals:
        """The same, so many times as wide."""
        return Intervals(self.estimate, factor * self.margin, self.truth, factor * self.width)

    def is_covered(self) -> np.ndarray:
        """(r,) true where the truth is inside, NaN where there is no interval."""
        inside = np.abs(self.estimate - self.truth) <= self.margin
        return np.where(np.isnan(self.margin), np.nan, inside)


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one estimator on one design and process."""

    design: str
    process: str
    estimator: str
    promise: Promise | None
    """None where the estimator assumes what is not so here."""
    unit_count: int
    """What the estimator takes as independent of each other: lineages, or models."""
    effective_count: float
    """As many of equal weight would tell as much."""
    repetitions: int
    """With an interval."""
    covered: int
    undefined: int
    """Repetitions without an interval."""
    median_width: float

    @property
    def coverage(self) -> float:
        return self.covered / self.repetitions if self.repetitions else float("nan")

    @property
    def coverage_error(self) -> float:
        """Binomial standard error of the coverage."""
        if not self.repetitions:
            return float("nan")
        return float(np.sqrt(self.coverage * (1.0 - self.coverage) / self.repetitions))

    @property
    def verdict(self) -> Verdict:
        if self.promise is None:
            return "no promise"
        if self.effective_count < TOO_FEW_EFFECTIVE:
            return "cannot be told"
        if self.effective_count < FEWEST_EFFECTIVE:
            return "few units"
        return judged(self.covered, self.repetitions, self.promise)

    @property
    def is_broken(self) -> bool:
        return self.verdict in ("too narrow", "too wide")


def judged(covered: int, repetitions: int, promise: Promise) -> Verdict:
    """Whether so many hits are compatible with the promise."""
    if not repetitions:
        return "no promise"
    low, high = stats.binomtest(covered, repetitions).proportion_ci(LEVEL, method="exact")
    if high < promise.lowest:
        return "too narrow"
    return "too wide" if low > promise.highest else "holds"


def row(
    design: str,
    process: str,
    estimator: str,
    promise: Promise | None,
    units: tuple[int, float],
    intervals: Intervals,
) -> Row:
    """The row of `intervals`; `units` are their count and their effective count."""
    hits = intervals.is_covered()
    known = ~np.isnan(hits)
    return Row(
        design,
        process,
        estimator,
        promise,
        *units,
        repetitions=int(known.sum()),
        covered=int(hits[known].sum()),
        undefined=int((~known).sum()),
        median_width=float(np.median(intervals.width[known])) if known.any() else float("nan"),
    )


def power(factor: float, degrees_of_freedom: float, repetitions: int, promise: Promise) -> float:
    """Chance that intervals so many times as wide as exact ones of Student's t are rejected."""
    quantile = stats.t.ppf(0.975, degrees_of_freedom)
    coverage = 2.0 * stats.t.cdf(factor * quantile, degrees_of_freedom) - 1.0
    tail = (1.0 - LEVEL) / 2.0
    # The hits from which on, and up to which, the bounds hold a coverage that is promised.
    fewest = stats.binom.ppf(tail, repetitions, promise.lowest)
    most = stats.binom.ppf(1.0 - tail, repetitions, promise.highest)
    kept = stats.binom.cdf(most, repetitions, coverage) - stats.binom.cdf(
        fewest - 1, repetitions, coverage
    )
    return float(1.0 - kept)


HEADINGS = (
    *("design", "intra-lineage", "estimator", "repetitions", "no interval", "coverage"),
    *("error", "median width", "G", "effective G", "promise", "verdict"),
)


def table(rows: list[Row]) -> str:
    """A line for each row."""
    lines = [HEADINGS] + [
        (
            row.design,
            row.process,
            row.estimator,
            f"{row.repetitions}",
            f"{row.undefined}",
            f"{row.coverage:.4f}",
            f"{row.coverage_error:.4f}",
            f"{row.median_width:.3g}",
            f"{row.unit_count}",
            f"{row.effective_count:.1f}",
            _promise_text(row.promise),
            row.verdict,
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _promise_text(promise: Promise | None) -> str:
    if promise is None:
        return "-"
    if promise.lowest == promise.highest:
        return f"{promise.lowest:.2f}"
    return f"{promise.lowest:.3g}-{promise.highest:.3g}"
