"""Scaling fits: how an ability or a score grows with the logarithm of training compute."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from models.estimation.errors import EstimationError
from models.estimation.jackknife import Jackknife

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Method = Literal["ols", "ols_lineage_jackknife"]

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class ScalingFit:
    """A straight line of value on log10 train_flop; NaN where undefined."""

    method: Method
    model_count: int
    lineage_count: int
    slope: float = NAN
    """Value per decade of training compute."""
    slope_standard_error: float = NAN
    slope_ci_low: float = NAN
    slope_ci_high: float = NAN
    intercept: float = NAN
    """Value at log10 train_flop = 0, far outside the data."""
    pearson: float = NAN
    """NaN if the values do not vary."""
    r_squared: float = NAN
    """NaN if the values do not vary."""
    p_value: float = NAN
    """Two-sided, of slope = 0; NaN if the standard error is 0 or undefined."""
    residual_standard_deviation: float = NAN
    """Unit of the value, two degrees of freedom taken off."""
    x_min: float = NAN
    x_max: float = NAN
    x_mean: float = NAN
    x_sum_of_squares: float = NAN
    """Sum of squared deviations of log10 train_flop from its mean."""
    t_quantile: float = NAN
    """Multiple of the standard error in the interval."""


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
        value: (n,), ability or score.
        lineage: (n,), label of the lineage each model belongs to; here only counted.
        confidence: coverage aimed at by the interval.

    With fewer than three models, or all at the same compute, estimates are NaN.

    Raises:
        EstimationError: a number that is not finite, or lengths that differ.
    """
    x, y, lineages = _checked(log10_train_flop, value, lineage)
    lineage_count = len(np.unique(lineages))
    if len(x) < 3 or _is_constant(x):
        return ScalingFit("ols", len(x), lineage_count)
    x_mean = float(x.mean())
    sum_of_squares = float(((x - x_mean) ** 2).sum())
    quantile = float(stdtrit(len(x) - 2, (1.0 + confidence) / 2.0))
    if _is_constant(y):
        return ScalingFit(
            "ols",
            len(x),
            lineage_count,
            slope=0.0,
            slope_standard_error=0.0,
            slope_ci_low=0.0,
            slope_ci_high=0.0,
            intercept=float(y[0]),
            residual_standard_deviation=0.0,
            x_min=float(x.min()),
            x_max=float(x.max()),
            x_mean=x_mean,
            x_sum_of_squares=sum_of_squares,
            t_quantile=quantile,
        )
    # Compute is centred so that the two coefficients are uncorrelated: exact at 1e20 and more.
    centred_x, centred_y = x - x_mean, y - y.mean()
    slope = float(centred_x @ centred_y) / sum_of_squares
    residuals = centred_y - slope * centred_x
    residual_sum_of_squares = float(residuals @ residuals)
    mean_square = residual_sum_of_squares / (len(x) - 2)
    standard_error = float(np.sqrt(mean_square / sum_of_squares))
    r_squared = 1.0 - residual_sum_of_squares / float(centred_y @ centred_y)
    return ScalingFit(
        method="ols",
        model_count=len(x),
        lineage_count=lineage_count,
        slope=slope,
        slope_standard_error=standard_error,
        slope_ci_low=slope - quantile * standard_error,
        slope_ci_high=slope + quantile * standard_error,
        intercept=float(y.mean()) - slope * x_mean,
        pearson=float(np.copysign(np.sqrt(max(r_squared, 0.0)), slope)),
        r_squared=r_squared,
        p_value=_two_sided_p(slope, standard_error, len(x) - 2),
        residual_standard_deviation=float(np.sqrt(mean_square)),
        x_min=float(x.min()),
        x_max=float(x.max()),
        x_mean=x_mean,
        x_sum_of_squares=sum_of_squares,
        t_quantile=quantile,
    )


def fit_lineage_jackknife(
    log10_train_flop: ArrayLike,
    value: ArrayLike,
    lineage: ArrayLike,
    *,
    confidence: float = 0.95,
) -> ScalingFit:
    """The line of `fit_ols`, with lineages instead of models taken as independent.

    The standard error is the jackknife over lineages, see `models.estimation.jackknife`.

    Arguments and errors as in `fit_ols`. The slope's error is NaN with fewer than three lineages,
    or if a slope is undefined once a lineage is left out.
    """
    x, y, lineages = _checked(log10_train_flop, value, lineage)
    line = fit_ols(x, y, lineages, confidence=confidence)
    fit = replace(
        line,
        method="ols_lineage_jackknife",
        slope_standard_error=NAN,
        slope_ci_low=NAN,
        slope_ci_high=NAN,
        p_value=NAN,
        t_quantile=NAN,
    )
    if np.isnan(line.slope) or line.lineage_count < 3:
        return fit
    without = _slopes_without_one(x, y, np.unique(lineages, return_inverse=True)[1])
    if np.isnan(without).any():
        return fit
    jackknife = Jackknife(line.slope)
    jackknife.add(without)
    slope = jackknife.uncertainty(confidence)
    standard_error = float(slope.standard_error)
    return replace(
        fit,
        slope_standard_error=standard_error,
        slope_ci_low=float(slope.low),
        slope_ci_high=float(slope.high),
        p_value=_two_sided_p(line.slope, standard_error, line.lineage_count - 1),
        t_quantile=slope.t_quantile,
    )


def _two_sided_p(estimate: float, standard_error: float, degrees_of_freedom: int) -> float:
    """Student's t; NaN without a standard error."""
    if standard_error == 0.0:
        return NAN
    return float(2.0 * stdtr(degrees_of_freedom, -abs(estimate) / standard_error))


def _slopes_without_one(x: Floats, y: Floats, group: NDArray[np.intp]) -> Floats:
    """(G,) slope without each group; NaN where the rest has fewer than 3 rows or one x."""
    # Centring keeps the differences of sums below from cancelling.
    x, y = x - x.mean(), y - y.mean()
    sums = np.array(
        [np.bincount(group, weights=term) for term in (np.ones_like(x), x, y, x * x, x * y)]
    )
    n, sum_x, sum_y, sum_xx, sum_xy = sums.sum(axis=1, keepdims=True) - sums
    with np.errstate(divide="ignore", invalid="ignore"):
        variation = sum_xx - sum_x**2 / n
        slopes: Floats = (sum_xy - sum_x * sum_y / n) / variation
    slopes[(n < 3) | ~(variation > 1e-12 * (x * x).sum())] = np.nan
    return slopes


def _checked(
    log10_train_flop: ArrayLike, value: ArrayLike, lineage: ArrayLike
) -> tuple[Floats, Floats, NDArray[Any]]:
    x = np.asarray(log10_train_flop, dtype=np.float64)
    y = np.asarray(value, dtype=np.float64)
    lineages = np.asarray(lineage)
    if not len(x) == len(y) == len(lineages):
        raise EstimationError(
            f"{len(x)} compute budgets, {len(y)} values and {len(lineages)} lineages: "
            "one of each per model is needed"
        )
    wrong = np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))
    if len(wrong):
        first = int(wrong[0])
        raise EstimationError(
            f"model {first}: log10 compute {x[first]} and value {y[first]} must be finite numbers"
        )
    return x, y, lineages


def _is_constant(values: Floats) -> bool:
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
