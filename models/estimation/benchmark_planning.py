"""Benchmark planning: which benchmarks to ask so that the rest can be told, and how well.

The scores of a model on the benchmarks that are not asked are their conditional means given those
that are, under a normal distribution with the moments of other models' scores, where a ridge is
added to the correlations: k benchmarks are hardly fewer than the models that the moments come from.
That is ridge regression on standardised scores (Hoerl and Kennard 1970, Technometrics 12:55).

Benchmarks are chosen by forward selection: each next one makes the error on the rest smallest, when
every lineage is predicted from the moments of the others. The error of what was chosen so is too
small, since the same lineages chose it and the ridge (Varma and Simon 2006, BMC Bioinformatics
7:91). The error that is to be believed leaves a lineage out first, chooses ridge and benchmarks on
the others alone, and then predicts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.estimation.errors import EstimationError, InsufficientDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]

RIDGES = (0.01, 0.03, 0.1)
"""Ridges that are tried, in variances of a benchmark."""


@dataclass(frozen=True, slots=True)
class BenchmarkPlans:
    """The first 1 to p - 1 benchmarks to ask of p, in the order in which they are chosen.

    Errors are root mean squares over lineages (of each the mean over its models) and over the
    benchmarks that are not asked; (p - 1,) each, by how many are asked.
    """

    order: Integers
    """(p - 1,) positions of the benchmarks."""
    ridge: float
    """The one of RIDGES by which the mean error over all sizes is smallest."""
    error: Floats
    """In the unit of the scores; the lineage that is predicted chose nothing."""
    standardised_error: Floats
    """Likewise, each benchmark in its standard deviations over all models."""
    explained_share: Floats
    """1 less the ratio of the squared standardised error to that of predicting the mean of the
    other lineages' models; below 0 where that is better."""
    worst_lineage: Integers
    """Place, among the sorted lineages, of the one with the largest standardised error."""
    worst_lineage_error: Floats
    """Its standardised error."""
    optimistic_standardised_error: Floats
    """Of the chosen benchmarks on the lineages that chose them."""
    benchmark_errors: Floats
    """(p - 1, p) of each benchmark, in the unit of the scores, predicted from the chosen ones on
    the lineages that chose them; NaN where it is asked."""
    selection_shares: Floats
    """(p - 1, p) share of the lineages without which the benchmark is among as many chosen ones."""


def plan_benchmarks(
    scores: ArrayLike,
    lineages: ArrayLike,
    *,
    costs: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
) -> BenchmarkPlans:
    """Which benchmarks to ask, by the scores of models that were asked all.

    Args:
        scores: (n, p) with no missing cell, any unit.
        lineages: (n,) labels.
        costs: (p,) of asking each benchmark; the next one chosen is then the one that takes most
            off the squared error per cost. None: all cost the same.
        labels: (p,) names of the columns, for error messages.

    Raises:
        EstimationError: a score that is not finite, a cost that is not above 0, or lengths that
            differ.
        InsufficientDataError: fewer than two benchmarks or four lineages, or a benchmark whose
            scores do not vary once two lineages are left out.
    """
    values, groups, prices = _checked(scores, lineages, costs)
    group_count = int(groups.max()) + 1 if len(groups) else 0
    size_count = values.shape[1] - 1
    if size_count < 1 or group_count < 4:
        raise InsufficientDataError(
            f"{size_count + 1} benchmarks and {group_count} lineages: a plan needs at least 2 and 4"
        )
    deviation = values.std(axis=0)
    _require_variation(deviation > 1e-12 * np.abs(values).max(axis=0), labels)
    sums = _lineage_sums((values - values.mean(axis=0)) / deviation, groups)

    # Without each lineage in turn, and last of all without none: what is recommended.
    paths = [
        _best_path(_fold(sums, outer, labels), prices) for outer in [*range(group_count), None]
    ]
    recommended = paths[-1]
    is_rest = np.array([path.is_rest for path in paths[:-1]])
    squares = np.array([path.squares[:, one] for one, path in enumerate(paths[:-1])])
    squares_of_mean = np.array([path.start[one] for one, path in enumerate(paths[:-1])])
    squares_of_mean = np.where(is_rest, squares_of_mean[:, None], 0.0)
    rest_counts = np.arange(size_count, 0, -1)
    by_lineage = squares.sum(axis=2) / rest_counts
    own = recommended.squares.mean(axis=1)
    return BenchmarkPlans(
        order=recommended.order,
        ridge=recommended.ridge,
        error=np.sqrt((squares * deviation**2).sum(axis=2).mean(axis=0) / rest_counts),
        standardised_error=np.sqrt(by_lineage.mean(axis=0)),
        explained_share=1.0 - squares.sum(axis=(0, 2)) / squares_of_mean.sum(axis=(0, 2)),
        worst_lineage=by_lineage.argmax(axis=0),
        worst_lineage_error=np.sqrt(by_lineage.max(axis=0)),
        optimistic_standardised_error=np.sqrt(own.sum(axis=1) / rest_counts),
        benchmark_errors=np.where(recommended.is_rest, np.sqrt(own) * deviation, np.nan),
        selection_shares=1.0 - is_rest.mean(axis=0),
    )


class _Sums(NamedTuple):
    """Sums over the models of each lineage."""

    counts: Floats
    """(G,)"""
    scores: Floats
    """(G, p)"""
    products: Floats
    """(G, p, p)"""


class _Fold(NamedTuple):
    """Lineages h predicted one by one, from all others but `outer`, which is predicted too."""

    correlations: Floats
    """(G, p, p), of the models that neither h nor `outer` is of."""
    products: Floats
    """(G, p, p), of the deviations of the models of h from those models' means, in their standard
    deviations; means over the models of h."""
    deviations: Floats
    """(G, p), those standard deviations, in those of the panel."""
    is_inner: NDArray[np.bool_]
    """(G,), whether h decides what is chosen: all but `outer`."""


class _Path(NamedTuple):
    """What forward selection chose, and the errors after each choice."""

    order: Integers
    """(p - 1,)"""
    ridge: float
    mean_error: float
    """Mean squared error over the inner lineages, what is not asked, and sizes."""
    is_rest: NDArray[np.bool_]
    """(p - 1, p), what is not asked."""
    start: Floats
    """(G, p) mean squared errors of predicting the mean, in variances of the panel."""
    squares: Floats
    """(p - 1, G, p) mean squared errors, likewise; 0 where asked."""


def _lineage_sums(values: Floats, groups: Integers) -> _Sums:
    members = (groups == np.arange(int(groups.max()) + 1)[:, None]).astype(np.float64)
    return _Sums(
        counts=members.sum(axis=1),
        scores=members @ values,
        products=np.einsum("gi,ip,iq->gpq", members, values, values, optimize=True),
    )


def _fold(sums: _Sums, outer: int | None, labels: Sequence[str] | None) -> _Fold:
    group_count = len(sums.counts)
    is_inner = np.arange(group_count) != (-1 if outer is None else outer)
    # Predicting `outer` itself takes it away once, not twice.
    taken = [
        part[is_inner].sum(axis=0) - np.where(_like(is_inner, part), part, 0.0) for part in sums
    ]
    counts, means = taken[0], taken[1] / taken[0][:, None]
    covariances = taken[2] / counts[:, None, None] - means[:, :, None] * means[:, None, :]
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    _require_variation(variances.min(axis=0) > 1e-12, labels)
    deviations = np.sqrt(variances)
    scale = deviations[:, :, None] * deviations[:, None, :]
    own = sums.scores / sums.counts[:, None]
    crossed = own[:, :, None] * means[:, None, :]
    products = sums.products / sums.counts[:, None, None]
    products += means[:, :, None] * means[:, None, :] - crossed - crossed.swapaxes(1, 2)
    return _Fold(covariances / scale, products / scale, deviations, is_inner)


def _like(is_inner: NDArray[np.bool_], part: Floats) -> NDArray[np.bool_]:
    return is_inner.reshape(-1, *[1] * (part.ndim - 1))


def _best_path(fold: _Fold, costs: Floats) -> _Path:
    # The first of equals.
    return min((_forward(fold, ridge, costs) for ridge in RIDGES), key=lambda path: path.mean_error)


def _forward(fold: _Fold, ridge: float, costs: Floats) -> _Path:
    """Asks one benchmark after another, by the Gaussian conditioning of what is left on it."""
    group_count, benchmark_count = fold.deviations.shape
    variances = fold.deviations**2
    covariances = fold.correlations + ridge * np.eye(benchmark_count)
    products = fold.products
    rest = np.arange(benchmark_count)
    order = np.empty(benchmark_count - 1, dtype=np.intp)
    is_rest = np.ones((benchmark_count - 1, benchmark_count), dtype=bool)
    squares = np.zeros((benchmark_count - 1, group_count, benchmark_count))
    start = np.diagonal(products, axis1=1, axis2=2) * variances
    mean_errors = np.empty(benchmark_count - 1)
    for step in range(benchmark_count - 1):
        # Knowing j moves the error e_t of every other t to e_t - c_tj / c_jj e_j, whose mean square
        # is m_tt - 2 c_tj m_tj / c_jj + c_tj^2 m_jj / c_jj^2.
        own = np.diagonal(covariances, axis1=1, axis2=2)
        saved = 2.0 * np.einsum("htj,htj->hj", covariances, products) / own
        saved -= (
            np.einsum("htj,htj->hj", covariances, covariances)
            * np.diagonal(products, axis1=1, axis2=2)
            / own**2
        )
        best = int(np.argmax(saved[fold.is_inner].mean(axis=0) / costs[rest]))
        kept = np.delete(np.arange(len(rest)), best)
        order[step] = rest[best]
        rest = rest[kept]
        is_rest[step:, order[step]] = False

        moved = covariances[:, kept, best]
        slopes = moved / covariances[:, best, best, None]
        # Half of the asked one's part in each of the two mirror images.
        shared = products[:, kept, best] - 0.5 * products[:, best, best, None] * slopes
        crossed = slopes[:, :, None] * shared[:, None, :]
        covariances = covariances[:, kept[:, None], kept]
        covariances -= slopes[:, :, None] * moved[:, None, :]
        products = products[:, kept[:, None], kept]
        products -= crossed
        products -= crossed.swapaxes(1, 2)
        errors = np.maximum(np.diagonal(products, axis1=1, axis2=2), 0.0)
        squares[step][:, rest] = errors * variances[:, rest]
        mean_errors[step] = errors[fold.is_inner].mean()
    return _Path(order, ridge, float(mean_errors.mean()), is_rest, start, squares)


def _require_variation(varies: NDArray[np.bool_], labels: Sequence[str] | None) -> None:
    if varies.all():
        return
    column = int(np.argmin(varies))
    raise InsufficientDataError(
        f"column {labels[column] if labels else column!r} has the same score for all models but "
        "those of two lineages: it can be predicted from nothing"
    )


def _checked(
    scores: ArrayLike, lineages: ArrayLike, costs: ArrayLike | None
) -> tuple[Floats, Integers, Floats]:
    values = np.asarray(scores, dtype=np.float64)
    groups = np.unique(np.asarray(lineages), return_inverse=True)[1]
    prices = np.ones(values.shape[1]) if costs is None else np.asarray(costs, dtype=np.float64)
    if len(values) != len(groups) or values.shape[1] != len(prices):
        raise EstimationError(
            f"scores of shape {values.shape}, {len(groups)} lineages and {len(prices)} costs: a "
            "lineage per row and a cost per column are needed"
        )
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        raise EstimationError(f"model {int(wrong[0])}: its scores must be finite numbers")
    if not (prices > 0.0).all():
        raise EstimationError(f"costs must be above 0; the smallest is {prices.min()}")
    return values, groups, prices
