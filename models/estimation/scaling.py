"""Scaling fits: how an ability or a score grows with the logarithm of training compute.

Here are the models of a fit, what every method returns and ordinary least squares. Methods that
take lineages as the independent unit are in `cluster_robust` (least squares, with other errors),
`fixed_effects` and `random_intercepts`. All of them take many values of the same models at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from models.estimation.errors import EstimationError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]
    Method = Literal[
        "ols",
        "ols_lineage_jackknife",
        "ols_lineage_cr2",
        "lineage_fixed_effects",
        "lineage_random_intercepts",
    ]

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """Straight lines of values on log10 train_flop; NaN where undefined.

    Every estimate has the shape of what was fitted without its models: () for one value of each
    model, (k,) for k of them.
    """

    method: Method
    model_count: int
    """Models that the slope is estimated from."""
    lineage_count: int
    """Lineages that the slope is estimated from."""
    slope: Floats
    """Value per decade of training compute."""
    slope_standard_error: Floats
    slope_ci_low: Floats
    slope_ci_high: Floats
    intercept: Floats
    """Value at log10 train_flop = 0, far outside the data."""
    pearson: Floats
    """NaN if the values do not vary, and where a line has no such correlation."""
    r_squared: Floats
    """NaN as `pearson`."""
    p_value: Floats
    """Two-sided, of slope = 0; NaN if the standard error is 0 or undefined."""
    residual_standard_deviation: Floats
    """Unit of the value, degrees of freedom taken off."""
    x_min: Floats
    x_max: Floats
    x_mean: Floats
    x_sum_of_squares: Floats
    """Sum of squared deviations of log10 train_flop from its mean."""
    t_quantile: Floats
    """Multiple of the standard error in the interval."""
    degrees_of_freedom: Floats
    """Of Student's t in the interval."""
    effective_lineage_count: Floats
    """How many equally informative lineages would know the slope as well, see `effective_count`."""
    largest_lineage_leverage: Floats
    """Share, 0 to 1, that one lineage has in what is known of the slope."""
    intra_lineage_correlation: Floats
    """Of the residuals of two models of one lineage, 0 to 1; NaN where the method has none."""
    is_floored: NDArray[np.bool_]
    """Whether the standard error is that of independent models, because the method's is smaller."""


@dataclass(frozen=True, slots=True)
class Points:
    """The n models of a fit, with k values each, centred."""

    x: Floats
    """(n,) log10 train_flop less its mean; centred, the two coefficients are uncorrelated."""
    x_mean: float
    y: Floats
    """(n, k) less their means; all 0 where values do not vary."""
    y_mean: Floats
    """(k,)"""
    lineage: Integers
    """(n,) numbers from 0 without a gap."""
    labels: NDArray[Any]
    """(G,) label of each lineage."""
    shape: tuple[int, ...]
    """Of the estimates."""

    @property
    def has_line(self) -> bool:
        """Whether there are three models or more, not all at the same compute."""
        return len(self.x) >= 3 and bool(np.ptp(self.x) > 1e-12 * abs(self.x_mean))

    @property
    def counts(self) -> tuple[int, int]:
        """Models and lineages."""
        return len(self.x), len(self.labels)

    def fit(self, method: Method, counts: tuple[int, int], **found: Any) -> ScalingFit:
        """A fit to so many models and lineages with what was `found`, NaN where nothing was."""
        missing = dict.fromkeys(ScalingFit.__slots__[3:], NAN) | {"is_floored": False}
        estimates: dict[str, Any] = {
            name: np.broadcast_to(value, self.y_mean.shape).reshape(self.shape)[()]
            for name, value in (missing | found).items()
        }
        return ScalingFit(method, *counts, **estimates)


class Line(NamedTuple):
    """Least-squares lines through k values."""

    slope: Floats
    """(k,)"""
    residuals: Floats
    """(n, k)"""
    x_sum_of_squares: float


def points_of(log10_train_flop: ArrayLike, value: ArrayLike, lineage: ArrayLike) -> Points:
    """The models of a fit; arguments and errors as in `fit_ols`."""
    x = np.asarray(log10_train_flop, dtype=np.float64)
    y = np.asarray(value, dtype=np.float64)
    lineages = np.asarray(lineage)
    if not len(x) == len(y) == len(lineages):
        raise EstimationError(
            f"{len(x)} compute budgets, {len(y)} values and {len(lineages)} lineages: "
            "one of each per model is needed"
        )
    columns = y.reshape(len(x), int(np.prod(y.shape[1:])))
    wrong = np.flatnonzero(~(np.isfinite(x) & np.isfinite(columns).all(axis=1)))
    if len(wrong):
        first = int(wrong[0])
        raise EstimationError(
            f"model {first}: log10 compute {x[first]} and value {y[first]} must be finite numbers"
        )
    labels, numbers = np.unique(lineages, return_inverse=True)
    if not len(x):
        return Points(x, NAN, columns, columns.sum(axis=0), numbers, labels, y.shape[1:])
    x_mean, y_mean = x.mean(), columns.mean(axis=0)
    is_constant = np.ptp(columns, axis=0) <= 1e-12 * np.abs(columns).max(axis=0)
    return Points(
        x=x - x_mean,
        x_mean=float(x_mean),
        y=np.where(is_constant, 0.0, columns - y_mean),
        y_mean=np.where(is_constant, columns[0], y_mean),
        lineage=numbers,
        labels=labels,
        shape=y.shape[1:],
    )


def lineage_sums(lineage: Integers, values: Floats) -> Floats:
    """(G, ...) sums of (n, ...) values over each lineage; `lineage` as in `Points`."""
    order = np.argsort(lineage, kind="stable")
    starts = np.searchsorted(lineage[order], np.arange(lineage.max() + 1))
    sums: Floats = np.add.reduceat(values[order], starts, axis=0)
    return sums


def within_lineages(points: Points) -> tuple[Floats, Floats]:
    """(n,) compute and (n, k) values, less their mean over the lineage."""
    size = np.bincount(points.lineage)
    x = lineage_sums(points.lineage, points.x) / size
    y = lineage_sums(points.lineage, points.y) / size[:, None]
    return points.x - x[points.lineage], points.y - y[points.lineage]


def least_squares(points: Points) -> Line:
    """The lines through `points`, of which `has_line` must be true."""
    x_sum_of_squares = float(points.x @ points.x)
    slope = points.x @ points.y / x_sum_of_squares
    return Line(slope, points.y - np.outer(points.x, slope), x_sum_of_squares)


def described(points: Points, line: Line) -> dict[str, Any]:
    """What all methods say of a least-squares line, whatever their error of its slope."""
    residual, total = (line.residuals**2).sum(axis=0), (points.y**2).sum(axis=0)
    with np.errstate(invalid="ignore"):
        r_squared = 1.0 - residual / total
    return {
        "slope": line.slope,
        "intercept": points.y_mean - line.slope * points.x_mean,
        "pearson": np.copysign(np.sqrt(np.maximum(r_squared, 0.0)), line.slope),
        "r_squared": r_squared,
        "residual_standard_deviation": np.sqrt(residual / (len(points.x) - 2)),
        "x_min": points.x_mean + points.x.min(),
        "x_max": points.x_mean + points.x.max(),
        "x_mean": points.x_mean,
        "x_sum_of_squares": line.x_sum_of_squares,
    }


def inference(
    slope: Floats,
    standard_error: Floats,
    degrees_of_freedom: Floats | float,
    confidence: float,
) -> dict[str, Any]:
    """Interval and test of slopes by Student's t."""
    quantile = stdtrit(degrees_of_freedom, (1.0 + confidence) / 2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(standard_error > 0.0, np.abs(slope) / standard_error, NAN)
    return {
        "slope_standard_error": standard_error,
        "slope_ci_low": slope - quantile * standard_error,
        "slope_ci_high": slope + quantile * standard_error,
        "p_value": 2.0 * stdtr(degrees_of_freedom, -ratio),
        "t_quantile": np.where(np.isnan(standard_error), NAN, quantile),
        "degrees_of_freedom": np.where(np.isnan(standard_error), NAN, degrees_of_freedom),
    }


def effective_count(variances: Floats) -> Floats:
    """(...) the number of equal variances that would be as uneven in effect as (..., G) these are.

    With `variances` the parts that the lineages contribute to the variance of a slope, this is the
    effective number of clusters G* = G / (1 + squared coefficient of variation) of Carter, Schnepel
    and Steigerwald (2017, Review of Economics and Statistics 99(4):698-709), their equation for a
    known covariance within clusters. It is G where all parts are equal, near 1 where one lineage
    decides alone, and NaN where all parts are 0.
    """
    with np.errstate(invalid="ignore"):
        count: Floats = variances.sum(axis=-1) ** 2 / (variances**2).sum(axis=-1)
    return count


def largest_share(variances: Floats) -> Floats:
    """(...) share, 0 to 1, that the largest of (..., G) parts has in their sum."""
    share: Floats = variances.max(axis=-1) / variances.sum(axis=-1)
    return share


def fit_ols(
    log10_train_flop: ArrayLike,
    value: ArrayLike,
    lineage: ArrayLike,
    *,
    confidence: float = 0.95,
) -> ScalingFit:
    """Ordinary least squares of value on log10 train_flop, models taken as independent.

    Args:
        log10_train_flop: (n,), decades of floating-point operations.
        value: (n,) or (n, k), abilities or scores.
        lineage: (n,), label of the lineage each model belongs to.
        confidence: coverage aimed at by the interval.

    With fewer than three models, or all at the same compute, estimates are NaN.

    Raises:
        EstimationError: a number that is not finite, or lengths that differ.
    """
    points = points_of(log10_train_flop, value, lineage)
    if not points.has_line:
        return points.fit("ols", points.counts)
    line = least_squares(points)
    return points.fit(
        "ols",
        points.counts,
        **described(points, line),
        **inference(line.slope, ols_standard_error(line), len(points.x) - 2, confidence),
        **lineage_weights(points, line),
    )


def ols_standard_error(line: Line) -> Floats:
    """(k,) of the slopes, models taken as independent."""
    mean_square = (line.residuals**2).sum(axis=0) / (len(line.residuals) - 2)
    standard_error: Floats = np.sqrt(mean_square / line.x_sum_of_squares)
    return standard_error


def lineage_weights(points: Points, line: Line) -> dict[str, Any]:
    """How few lineages a least-squares slope may hang on.

    The effective number of lineages is that of the worst case, models of one lineage having all of
    their error in common: a lineage then contributes the squared sum of its deviations of compute.
    A lineage's leverage is its share of the sum of squared deviations, the partial leverage of
    MacKinnon, Nielsen and Webb (2023, Stata Journal 23(4):942-982).
    """
    sums, squares = lineage_sums(points.lineage, np.stack([points.x, points.x**2], axis=1)).T
    # Sums that cancel leave rounding, of which no share means anything.
    sums = np.where(np.abs(sums) < 1e-9 * np.sqrt(line.x_sum_of_squares), 0.0, sums)
    return {
        "effective_lineage_count": effective_count(sums**2),
        "largest_lineage_leverage": largest_share(squares),
    }
