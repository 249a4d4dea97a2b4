"""Cluster-robust errors: least-squares slopes whose independent unit is the lineage.

Two errors of the same slope, for few and unequal lineages. Neither needs to know how the errors of
a lineage's models go together.

- CV3, the jackknife over lineages (MacKinnon, Nielsen and Webb 2023, Journal of Econometrics
  232(2):272-299), with Student's t of one degree of freedom less than there are lineages. What the
  values were estimated with can be estimated again without each lineage: see `Replicates`.
- CR2, which is unbiased where models are independent, with the degrees of freedom of Bell and
  McCaffrey (2002, Survey Methodology 28(2):169-181), as Pustejovsky and Tipton (2018, Journal of
  Business and Economic Statistics 36(4):672-683) have them for one coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from models.estimation.errors import EstimationError
from models.estimation.scaling import (
    NAN,
    described,
    inference,
    least_squares,
    lineage_sums,
    lineage_weights,
    ols_standard_error,
    points_of,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from models.estimation.scaling import Line, Points, ScalingFit

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Replicates:
    """The values of a fit, each time estimated with another lineage left out."""

    lineage: NDArray[Any]
    """(r,) label of the lineage left out; it need not have a model in the fit."""
    values: Floats
    """(r, n) or (r, n, k) values; those of models that are left out are not read."""


class Sandwich(NamedTuple):
    """Error of k slopes, and how far it can be relied on."""

    standard_error: Floats
    """(k,)"""
    degrees_of_freedom: float


def fit_lineage_jackknife(
    log10_train_flop: ArrayLike,
    value: ArrayLike,
    lineage: ArrayLike,
    *,
    replicates: Replicates | None = None,
    confidence: float = 0.95,
) -> ScalingFit:
    """The line of `fit_ols`, with the error of a jackknife over lineages (CV3).

    With G lineages in the fit its variance is (G - 1) / G times the sum, over the lineages left
    out, of squared differences from the slope of all. A lineage without a model in the fit may
    still move the values of the others, and then counts in the sum. With few lineages the sum can
    be smaller than chance allows, whence the error is never below that of `fit_ols`.

    Args:
        log10_train_flop: as in `fit_ols`.
        value: as in `fit_ols`.
        lineage: as in `fit_ols`.
        replicates: the values without each lineage; None takes the values as given.
        confidence: coverage aimed at by the interval.

    The slope's error is NaN with fewer than three lineages, if a slope is undefined once a lineage
    is left out, or if a lineage of the fit has no replicate.

    Raises:
        EstimationError: as `fit_ols`; or replicates of other models or values.
    """
    points = points_of(log10_train_flop, value, lineage)
    if not points.has_line:
        return points.fit("ols_lineage_jackknife", points.counts)
    line = least_squares(points)
    plain = ols_standard_error(line)
    own = np.full_like(plain, NAN)
    lineage_count = len(points.labels)
    if lineage_count >= 3:
        differences = _slopes_without_one(points, line, replicates) - line.slope
        own = np.sqrt((lineage_count - 1) / lineage_count * (differences**2).sum(axis=0))
    return points.fit(
        "ols_lineage_jackknife",
        points.counts,
        **described(points, line),
        **inference(line.slope, np.maximum(own, plain), lineage_count - 1, confidence),
        **lineage_weights(points, line),
        is_floored=own < plain,
    )


def fit_lineage_cr2(
    log10_train_flop: ArrayLike,
    value: ArrayLike,
    lineage: ArrayLike,
    *,
    confidence: float = 0.95,
) -> ScalingFit:
    """The line of `fit_ols`, with the error and the degrees of freedom of CR2.

    Arguments and errors as in `fit_ols`. The slope's error is NaN with one lineage, or if the slope
    is undefined once a lineage is left out.
    """
    points = points_of(log10_train_flop, value, lineage)
    if not points.has_line:
        return points.fit("ols_lineage_cr2", points.counts)
    line = least_squares(points)
    basis = np.column_stack(
        [np.full_like(points.x, len(points.x) ** -0.5), points.x / np.sqrt(line.x_sum_of_squares)]
    )
    error = cr2(basis, line.residuals, points.lineage)
    return points.fit(
        "ols_lineage_cr2",
        points.counts,
        **described(points, line),
        **inference(
            line.slope,
            error.standard_error / np.sqrt(line.x_sum_of_squares),
            error.degrees_of_freedom,
            confidence,
        ),
        **lineage_weights(points, line),
    )


def cr2(basis: Floats, residuals: Floats, lineage: Integers) -> Sandwich:
    """CR2 of the coefficient of the last column of `basis`.

    Args:
        basis: (n, q) orthonormal columns that span the regressors.
        residuals: (n, k) of the regressions.
        lineage: (n,) numbers from 0 without a gap.

    A lineage's residuals have I - B B' as their covariance where models are independent, B being
    its rows of the basis. The inverse root of that, by which CR2 multiplies them, takes B to
    B (I - B'B)^(-1/2), so that all is done with q by q matrices. NaN if one of them is singular:
    the coefficient is then undefined without that lineage.
    """
    gram = lineage_sums(lineage, basis[:, :, None] * basis[:, None, :])
    eigenvalues, eigenvectors = np.linalg.eigh(np.eye(basis.shape[1]) - gram)
    if eigenvalues.min() < 1e-10:
        return Sandwich(np.full(residuals.shape[1], NAN), NAN)
    # (G, q): the column that (I - B'B)^(-1/2) has for the coefficient.
    weights = np.einsum("gij,gj,gj->gi", eigenvectors, eigenvalues**-0.5, eigenvectors[:, -1])
    adjusted = (basis * weights[lineage]).sum(axis=1)
    sums = lineage_sums(lineage, adjusted[:, None] * residuals)
    # The estimate is a quadratic form of normal errors. Its degrees of freedom are those of a chi
    # squared with the same mean and variance: tr(P)^2 / tr(P P).
    own = np.einsum("gi,gij,gj->g", weights, gram, weights)
    shared = np.einsum("gij,gj->gi", gram, weights)
    form = np.diag(own) - shared @ shared.T
    return Sandwich(np.sqrt((sums**2).sum(axis=0)), float(np.trace(form) ** 2 / (form**2).sum()))


def _slopes_without_one(points: Points, line: Line, replicates: Replicates | None) -> Floats:
    """(r, k) slopes without each lineage; NaN where the rest has fewer than 3 rows or one x."""
    left_out = points.labels if replicates is None else replicates.lineage
    is_kept = left_out[:, None] != points.labels[points.lineage]
    x = points.x - (is_kept @ points.x / np.maximum(is_kept.sum(axis=1), 1))[:, None]
    x = np.where(is_kept, x, 0.0)
    variation = (x**2).sum(axis=1)
    is_undefined = (is_kept.sum(axis=1) < 3) | (variation <= 1e-12 * line.x_sum_of_squares)
    weights = x / np.where(is_undefined, NAN, variation)[:, None]
    if replicates is None:
        slopes: Floats = weights @ points.y
        return slopes
    if replicates.values.shape != (len(left_out), len(points.x), *points.shape):
        raise EstimationError(
            f"replicates of shape {replicates.values.shape}: one value is needed of each of "
            f"{len(left_out)} lineages left out, {len(points.x)} models and {points.shape} values"
        )
    if not np.isin(points.labels, left_out).all():
        return np.full((1, points.y.shape[1]), NAN)
    values = replicates.values.reshape(len(left_out), *points.y.shape)
    values = np.where(is_kept[:, :, None], values, 0.0)
    replicated: Floats = np.einsum("rn,rnk->rk", weights, values)
    return replicated
