"""Censored fits: a line of value on log compute, where the compute of some models is bounded only.

Regression on an interval-censored covariate (Gomez, Espinal and Lagakos 2003, Statistics in
Medicine 22(3):409-425): value = a + b x + e, with e normal, and x = log10 train_flop known to lie
in an interval, over which the likelihood of the value is integrated. The distribution of x within
its interval is declared and not estimated: uniform, which makes the integral a difference of two
normal probabilities. An interval of no width is a known x; without bounded models the line is
that of least squares.

Why nothing of the distribution is estimated: values say where x is only by way of the line. With a
common log-odds of the share of a language in undisclosed mixtures as a fourth parameter, the
published panels send that share to an edge, and to opposite edges for two abilities of the same
models. How much the assumption matters is seen by varying the intervals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEP_COUNT = 60
"""Newton steps after which a fit has not converged."""

NODES, WEIGHTS = np.polynomial.legendre.leggauss(4)
"""Of the mean of a normal density over a tenth of a standard deviation, exact to 1e-15."""


class CensoredFits(NamedTuple):
    """Maximum-likelihood lines of P problems; NaN where the likelihood has no maximum."""

    intercept: Floats
    """(P,) value at log10 train_flop = 0, far outside the data."""
    slope: Floats
    """(P,) value per decade of training compute."""
    standard_deviation: Floats
    """(P,) of the value about the line; the sum of squares divided by n, as likelihood does."""
    log_likelihood: Floats
    """(P,)"""
    information_error: Floats
    """(P,) standard error of the slope by the observed information: models as independent."""
    replicates: Floats
    """(G, P) slope with each lineage left out; NaN where undefined."""


class Terms(NamedTuple):
    """A log-likelihood with its derivatives in (a, b, log of the standard deviation)."""

    value: Floats
    """(P,); minus infinity where the values are too far from the line for a number."""
    gradient: Floats
    """(P, 3)"""
    hessian: Floats
    """(P, 3, 3)"""


def fit_censored_lines(low: Floats, high: Floats, values: Floats) -> CensoredFits:
    """Lines of P problems, and of the same with each of G lineages left out.

    Args:
        low: (P, n), smallest log10 compute; equal to `high` where compute is known.
        high: (P, n), largest log10 compute.
        values: (1 + G, P, n), values of all models first, then with each lineage left out; a model
            with NaN is no part of the problem.

    A problem has NaN with fewer than three models, if its values lie on a line, or if the
    likelihood is flat at its highest point.
    """
    present = np.isfinite(values[0])
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    centre = np.where(present, low + high, 0.0).sum(axis=1, keepdims=True) / (2 * count)
    low, high = (np.where(present, end - centre, 0.0) for end in (low, high))
    parameters, terms = _maximise(_start(low, high, values[0]), low, high, values[0], 1e-16)
    replicates = np.empty((len(values) - 1, len(low)))
    for replicate, value in zip(replicates, values[1:], strict=True):
        # The last step squares what is left of the way to the maximum: before it, a hundredth of a
        # standard error; after it, far less than a jackknife is known to.
        replicate[:] = _maximise(parameters, low, high, value, 1e-4)[0][:, 1]
    with np.errstate(invalid="ignore"):
        error = np.sqrt(_variances(terms.hessian))
    return CensoredFits(
        intercept=parameters[:, 0] - parameters[:, 1] * centre[:, 0],
        slope=parameters[:, 1],
        standard_deviation=np.exp(parameters[:, 2]),
        log_likelihood=np.where(np.isnan(error), np.nan, terms.value),
        information_error=error,
        replicates=replicates,
    )


def _variances(hessian: Floats) -> Floats:
    """(P,) variance of the slope, NaN where the information is not positive definite."""
    usable = np.all(np.isfinite(hessian), axis=(1, 2))
    curvature, axes = np.linalg.eigh(np.where(usable[:, None, None], -hessian, np.eye(3)))
    usable &= np.asarray(curvature[:, 0] > 1e-10 * curvature[:, 2])
    curvature = np.where(usable[:, None], curvature, np.nan)
    variance: Floats = (axes[:, 1, :] ** 2 / curvature).sum(axis=1)
    return variance


def _start(low: Floats, high: Floats, value: Floats) -> Floats:
    """(P, 3) parameters of the line through the middles of the intervals; NaN if it has none."""
    present = np.isfinite(value)
    count = present.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        x_mean, y_mean = (
            np.where(present, part, 0.0).sum(axis=1, keepdims=True) / count
            for part in ((low + high) / 2.0, value)
        )
        x = np.where(present, (low + high) / 2.0 - x_mean, 0.0)
        y = np.where(present, value - y_mean, 0.0)
        slope = (x * y).sum(axis=1, keepdims=True) / (x * x).sum(axis=1, keepdims=True)
        residual_squares = ((y - slope * x) ** 2).sum(axis=1, keepdims=True)
        on_a_line = residual_squares <= 1e-20 * (y * y).sum(axis=1, keepdims=True)
        start = np.concatenate(
            [y_mean - slope * x_mean, slope, np.log(residual_squares / count) / 2.0], axis=1
        )
    start[((count < 3) | on_a_line)[:, 0]] = np.nan
    return start


def _maximise(
    start: Floats, low: Floats, high: Floats, value: Floats, tolerance: float
) -> tuple[Floats, Terms]:
    """(P, 3) parameters of the highest likelihood near `start`, and the terms there.

    Newton's method; `tolerance` is what a last step may still promise of log-likelihood.
    """
    parameters = start.copy()
    terms = log_likelihoods(parameters, low, high, value)
    is_open = (np.isfinite(value).sum(axis=1) >= 3) & _is_finite(terms)
    parameters[~is_open] = np.nan
    todo = np.flatnonzero(is_open)
    for _ in range(STEP_COUNT):
        if not len(todo):
            return parameters, terms
        # Where the likelihood is not concave, curvatures are taken without their sign.
        curvature, axes = np.linalg.eigh(-terms.hessian[todo])
        largest = np.abs(curvature).max(axis=1, keepdims=True)
        curvature = np.maximum(np.abs(curvature), 1e-9 * largest)
        along = np.einsum("pjk,pj->pk", axes, terms.gradient[todo]) / curvature
        step = np.einsum("pjk,pk->pj", axes, along)
        promise = (step * terms.gradient[todo]).sum(axis=1)
        stuck = _step(parameters, terms, todo, step, promise, (low, high, value))
        parameters[stuck] = np.nan
        todo = todo[(promise > tolerance) & ~np.isin(todo, stuck)]
    # A likelihood that still rises has no maximum: values on a line, with a deviation that shrinks.
    parameters[todo] = np.nan
    return parameters, terms


def _step(
    parameters: Floats,
    terms: Terms,
    todo: NDArray[np.intp],
    step: Floats,
    promise: Floats,
    data: tuple[Floats, Floats, Floats],
) -> NDArray[np.intp]:
    """Moves `parameters` and `terms` of the problems `todo`, each by as much as it gains by.

    Returns those that gain by no move.
    """
    factor = 1.0
    while len(todo) and factor > 1e-9:
        moved = parameters[todo] + factor * step
        tried = log_likelihoods(moved, *(part[todo] for part in data))
        # Below this promise, rounding decides on what is gained.
        gains = (tried.value >= terms.value[todo] + 1e-4 * factor * promise) | (promise < 1e-11)
        gains &= _is_finite(tried)
        parameters[todo[gains]] = moved[gains]
        for kept, new in zip(terms, tried, strict=True):
            kept[todo[gains]] = new[gains]
        todo, step, promise = todo[~gains], step[~gains], promise[~gains]
        factor /= 4.0
    return todo


def _is_finite(terms: Terms) -> NDArray[np.bool_]:
    """(P,) whether all of the terms are numbers."""
    parts = np.concatenate(
        [terms.value[:, None], terms.gradient, terms.hessian.reshape(-1, 9)], axis=1
    )
    return np.asarray(np.isfinite(parts).all(axis=1))


def log_likelihoods(parameters: Floats, low: Floats, high: Floats, value: Floats) -> Terms:
    """Of P problems at `parameters` (P, 3), with `low`, `high` and `value` (P, n); NaN absent."""
    intercept, slope, log_deviation = (parameters[:, k, None] for k in range(3))
    present = np.isfinite(value)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        deviation = np.exp(log_deviation)
        # Deviates of the value at both ends; absent models are on the line.
        first, second = (
            np.where(present, (value - intercept - slope * end) / deviation, 0.0)
            for end in (low, high)
        )
        density, by_first, by_second, by_first_2, by_both, by_second_2 = _mean_density(
            first, second
        )
        # Derivatives of the logarithm of the density, in the two deviates.
        f, s = (np.where(present, part / density, 0.0) for part in (by_first, by_second))
        ff, fs, ss = (
            np.where(present, part / density - product, 0.0)
            for part, product in ((by_first_2, f * f), (by_both, f * s), (by_second_2, s * s))
        )
        logarithm = np.where(
            present, np.log(density) - log_deviation - 0.5 * np.log(2.0 * np.pi), 0.0
        )
        # By the chain rule; the deviates fall by 1, low or high, and themselves.
        u, v = ff * first + fs * second + f, fs * first + ss * second + s
        gradient = -np.stack(
            [
                (f + s).sum(axis=1) / deviation[:, 0],
                (low * f + high * s).sum(axis=1) / deviation[:, 0],
                (first * f + second * s + present).sum(axis=1),
            ],
            axis=1,
        )
        aa = (ff + 2.0 * fs + ss).sum(axis=1) / deviation[:, 0] ** 2
        ab = (low * (ff + fs) + high * (fs + ss)).sum(axis=1) / deviation[:, 0] ** 2
        bb = (low * low * ff + 2.0 * low * high * fs + high * high * ss).sum(axis=1)
        bb /= deviation[:, 0] ** 2
        ad = (u + v).sum(axis=1) / deviation[:, 0]
        bd = (low * u + high * v).sum(axis=1) / deviation[:, 0]
        dd = (first * u + second * v).sum(axis=1)
    hessian = np.stack([aa, ab, ad, ab, bb, bd, ad, bd, dd], axis=1).reshape(-1, 3, 3)
    return Terms(logarithm.sum(axis=1), gradient, hessian)


def _mean_density(first: Floats, second: Floats) -> tuple[Floats, ...]:
    """Mean of exp(-z^2 / 2) over z from `second` to `first`, and its derivatives.

    By `first`, by `second`, twice by `first`, by both, twice by `second`.
    """
    width = first - second
    narrow = np.abs(width) < 0.1
    width = np.where(narrow, 1.0, width)
    # In the lower tail a small probability keeps its digits.
    side = np.where(first + second > 0, -1.0, 1.0)
    mean = np.sqrt(2.0 * np.pi) * side * (ndtr(side * first) - ndtr(side * second)) / width
    at_first, at_second = np.exp(-first * first / 2.0), np.exp(-second * second / 2.0)
    by_first, by_second = (at_first - mean) / width, (mean - at_second) / width
    means = (
        mean,
        by_first,
        by_second,
        (-first * at_first - 2.0 * by_first) / width,
        (by_first - by_second) / width,
        (2.0 * by_second + second * at_second) / width,
    )
    # The differences above cancel when the ends are close: there, by quadrature.
    nearness = (1.0 + NODES) / 2.0
    z = second[narrow, None] + (first - second)[narrow, None] * nearness
    density = np.exp(-z * z / 2.0) * WEIGHTS / 2.0
    once, twice = -z * density, (z * z - 1.0) * density
    for of_wide, of_narrow in zip(
        means,
        (
            density.sum(axis=1),
            once @ nearness,
            once @ (1.0 - nearness),
            twice @ nearness**2,
            twice @ (nearness * (1.0 - nearness)),
            twice @ (1.0 - nearness) ** 2,
        ),
        strict=True,
    ):
        of_wide[narrow] = of_narrow
    return means
