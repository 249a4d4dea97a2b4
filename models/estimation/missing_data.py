"""Missing data: mean and covariance of scores of which some cells are missing.

The scores of a model are taken as one draw from a multivariate normal distribution, cells
missing at random, and the two moments are estimated by maximum likelihood with the EM
algorithm (Dempster, Laird and Rubin 1977, J. R. Stat. Soc. B 39; Little and Rubin 2019,
Statistical Analysis with Missing Data, 3rd ed., chapter 11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from models.estimation.errors import ConvergenceError, EstimationError, InsufficientDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean and covariance of the benchmarks."""

    mean: Floats
    """(p,), in the unit of the scores."""
    covariance: Floats
    """(p, p), maximum likelihood (divided by n, not n - 1), in the unit of the scores squared."""
    iteration_count: int
    """EM steps taken; 1 where no cell is missing, because one step is then exact."""

    @property
    def standard_deviation(self) -> Floats:
        """(p,), in the unit of the scores."""
        deviation: Floats = np.sqrt(np.diagonal(self.covariance))
        return deviation


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows that miss the same number of cells, not necessarily the same cells."""

    rows: Integers
    """(g,) positions of the rows."""
    columns: Integers
    """(g, m) positions of the missing cells of each row, ascending."""
    blocks: Integers
    """(g, m, m) positions, in a flattened (p, p) matrix, of each row's missing block."""


@dataclass(frozen=True, slots=True)
class MissingCells:
    """Which cells of a score matrix are missing, arranged so that no step loops over rows."""

    observed: NDArray[np.bool_]
    """(n, p), true where there is a score."""
    batches: tuple[RowBatch, ...]
    """Rows with at least one missing cell, by how many they miss."""


class ProjectionVariance(NamedTuple):
    """How uncertain the linear combinations of each row are, given mean and covariance."""

    missing: Floats
    """(n, k), variance from the cells that are missing; 0 where none is."""
    item: Floats
    """(n, k), variance from the standard errors of the cells that are observed."""


def missing_cells(scores: Floats) -> MissingCells:
    """Where the (n, p) `scores` are NaN."""
    observed = ~np.isnan(scores)
    column_count = scores.shape[1]
    missing_counts = column_count - observed.sum(axis=1)
    batches = []
    for missing_count in np.unique(missing_counts[missing_counts > 0]):
        rows = np.flatnonzero(missing_counts == missing_count)
        columns = np.nonzero(~observed[rows])[1].reshape(len(rows), missing_count)
        blocks = columns[:, :, None] * column_count + columns[:, None, :]
        batches.append(RowBatch(rows=rows, columns=columns, blocks=blocks))
    return MissingCells(observed=observed, batches=tuple(batches))


def estimate_moments(
    scores: Floats,
    *,
    weights: Floats | None = None,
    start: Moments | None = None,
    cells: MissingCells | None = None,
    labels: Sequence[str] | None = None,
    tolerance: float = 1e-10,
    maximum_iterations: int = 10_000,
) -> Moments:
    """Maximum-likelihood mean and covariance of the columns of `scores`.

    Args:
        scores: (n, p), any unit; NaN where the cell is missing.
        weights: (n,), how often each row counts; 0 leaves it out. None counts each once.
        start: moments near the answer, to save iterations; does not change the answer
            beyond `tolerance`.
        cells: `missing_cells(scores)`, when the caller already has it.
        labels: (p,) names of the columns, for error messages.
        tolerance: iterations stop when no mean and no covariance moves by more than this,
            the columns being scaled to variance one. An EM that keeps a fraction f of its
            error at each step is then within tolerance * f / (1 - f) of the answer: with
            the default, within 1e-8 for f = 0.99, far below any digit that is read.
        maximum_iterations: steps before giving up.

    Raises:
        EstimationError: a score is infinite.
        InsufficientDataError: fewer than three rows; a row with no score; a column with
            fewer than three scores, with no variance, or (where cells are missing) that is
            a linear combination of others; or, where cells are missing, no more rows than
            columns or two columns that fewer than three rows have in common.
        ConvergenceError: `maximum_iterations` reached.
    """
    if weights is None:
        weights = np.ones(len(scores))
    if cells is None:
        cells = missing_cells(scores)
    _require_finite(scores, labels)
    _require_enough(cells, weights, labels)
    centre, scale = _observed_moments(scores, cells, weights, labels)
    standardised = np.where(cells.observed, (scores - centre) / scale, 0.0)
    if not cells.batches or not weights[[row for b in cells.batches for row in b.rows]].any():
        mean, covariance = _weighted_moments(standardised, weights)
        return _rescaled(mean, covariance, centre, scale, iteration_count=1)

    mean, covariance = np.zeros(len(centre)), np.eye(len(centre))
    if start is not None:
        mean = (start.mean - centre) / scale
        covariance = start.covariance / np.outer(scale, scale)
    change = np.inf
    for iteration in range(1, maximum_iterations + 1):
        deviations, uncertainty = _expectation(
            standardised, cells, weights, mean, covariance, labels
        )
        shift, spread = _weighted_moments(deviations, weights)
        new_covariance = spread + uncertainty / weights.sum()
        change = max(np.abs(shift).max(), np.abs(new_covariance - covariance).max())
        mean, covariance = mean + shift, new_covariance
        if change < tolerance:
            return _rescaled(mean, covariance, centre, scale, iteration_count=iteration)
    raise ConvergenceError(
        f"EM did not settle in {maximum_iterations} iterations: the last one still moved a "
        f"moment by {change:.3g} of a standard deviation (tolerance {tolerance:.3g}); too many "
        "cells are missing for these rows"
    )


def conditional_scores(
    scores: Floats, moments: Moments, *, cells: MissingCells | None = None
) -> Floats:
    """(n, p) `scores` with each missing cell at its mean given the row's observed cells.

    Observed cells are unchanged. A row with nothing observed gets the mean.
    """
    if cells is None:
        cells = missing_cells(scores)
    if not cells.batches:
        return scores
    scale = moments.standard_deviation
    deviations = np.where(cells.observed, (scores - moments.mean) / scale, 0.0)
    precision = _precision(moments.covariance / np.outer(scale, scale), labels=None)
    _fill(deviations, cells, precision)
    return np.where(cells.observed, scores, moments.mean + deviations * scale)


def projection_variance(
    moments: Moments,
    directions: Floats,
    cells: MissingCells,
    standard_errors: Floats | None = None,
) -> ProjectionVariance:
    """Variance of `directions`' combinations of the standardised conditional scores of each row.

    A combination is v'z with z = (score - mean) / standard deviation, missing cells at their
    conditional mean. What is missing adds v' Cov(z_mis | z_obs) v. The standard error of an
    observed score counts with its whole weight in the combination: its own, plus what it
    contributes to the conditional means of the row's missing cells. Standard errors are taken
    as independent: between benchmarks, and from row to row, which models on the same items are not.

    Args:
        moments: of the scores.
        directions: (p, k), one combination of standardised scores per column.
        cells: of the scores.
        standard_errors: (n, p), in the unit of the scores; NaN where unknown, which adds
            nothing. Those of missing cells are not read.
    """
    row_count, column_count = cells.observed.shape
    scale = moments.standard_deviation
    missing = np.zeros((row_count, directions.shape[1]))
    relative_variances = np.zeros((row_count, column_count))
    if standard_errors is not None:
        known = cells.observed & ~np.isnan(standard_errors)
        relative_variances = np.where(known, standard_errors / scale, 0.0) ** 2
    item = relative_variances @ directions**2
    if not cells.batches:
        return ProjectionVariance(missing=missing, item=item)

    precision = _precision(moments.covariance / np.outer(scale, scale), labels=None)
    # A row's weights take p x k numbers, so rows are handled a few megabytes at a time.
    chunk_size = max(1, 1_000_000 // directions.size)
    for batch in cells.batches:
        for first in range(0, len(batch.rows), chunk_size):
            rows = batch.rows[first : first + chunk_size]
            columns = batch.columns[first : first + chunk_size]
            blocks = precision.take(batch.blocks[first : first + chunk_size])
            own = directions[columns]
            carried = np.linalg.solve(blocks, own)
            missing[rows] = np.einsum("gmk,gmk->gk", own, carried)
            weights = directions - precision[columns].swapaxes(1, 2) @ carried
            # Rows of `relative_variances` are zero at missing cells, so what `weights` says
            # there does not matter.
            item[rows] = np.einsum("gp,gpk->gk", relative_variances[rows], weights**2)
    return ProjectionVariance(missing=missing, item=item)


def _require_finite(scores: Floats, labels: Sequence[str] | None) -> None:
    """LAPACK says nothing of an infinite score: it only makes every moment NaN."""
    infinite = np.argwhere(np.isinf(scores))
    if len(infinite):
        row, column = (int(i) for i in infinite[0])
        raise EstimationError(
            f"row {row} has the score {scores[row, column]} in {_label(labels, column)}: "
            "give a finite score, or NaN where it is missing"
        )


def _require_enough(cells: MissingCells, weights: Floats, labels: Sequence[str] | None) -> None:
    counted = weights > 0
    observed = cells.observed[counted]
    row_count, column_count = observed.shape
    if row_count < 3:
        raise InsufficientDataError(f"{row_count} rows of scores: at least 3 are needed")
    empty_rows = np.flatnonzero(counted)[~observed.any(axis=1)]
    if len(empty_rows):
        raise InsufficientDataError(
            f"row {int(empty_rows[0])} has no score at all: leave it out of the panel"
        )
    scores_per_column = observed.sum(axis=0)
    if scores_per_column.min() < 3:
        thinnest = int(scores_per_column.argmin())
        raise InsufficientDataError(
            f"{_label(labels, thinnest)} has {int(scores_per_column[thinnest])} scores: "
            "at least 3 are needed"
        )
    if observed.all():
        return
    if row_count <= column_count:
        raise InsufficientDataError(
            f"{row_count} rows for {column_count} columns, with missing cells: the covariance "
            f"cannot be estimated with fewer than {column_count + 1} rows"
        )
    indicators = observed.astype(np.float64)
    shared = indicators.T @ indicators
    if shared.min() < 3:
        # Nothing in the likelihood then says how the two go together (the file-matching
        # problem; Little and Rubin, section 1.2).
        one, other = (int(i) for i in np.unravel_index(shared.argmin(), shared.shape))
        raise InsufficientDataError(
            f"{_label(labels, one)} and {_label(labels, other)} have {int(shared.min())} rows "
            "in common: at least 3 are needed"
        )


def _observed_moments(
    scores: Floats, cells: MissingCells, weights: Floats, labels: Sequence[str] | None
) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the observed cells of each column: scales, not estimates."""
    total = weights @ cells.observed
    mean = weights @ np.where(cells.observed, scores, 0.0) / total
    deviations = np.where(cells.observed, scores - mean, 0.0)
    scale = np.sqrt(weights @ deviations**2 / total)
    # Rounding leaves a constant column a standard deviation of some 1e-16 of its mean.
    flat = scale <= 1e-12 * np.abs(mean)
    if flat.any():
        first = int(flat.argmax())
        raise InsufficientDataError(
            f"{_label(labels, first)} has the same score {float(mean[first]):.6g} in every row: "
            "a correlation with it is undefined"
        )
    return mean, scale


def _weighted_moments(deviations: Floats, weights: Floats) -> tuple[Floats, Floats]:
    total = weights.sum()
    mean = weights @ deviations / total
    spread = (deviations * weights[:, None]).T @ deviations / total - np.outer(mean, mean)
    return mean, spread


def _expectation(
    standardised: Floats,
    cells: MissingCells,
    weights: Floats,
    mean: Floats,
    covariance: Floats,
    labels: Sequence[str] | None,
) -> tuple[Floats, Floats]:
    """Completed deviations from `mean` (n, p), and summed conditional covariance (p, p)."""
    deviations = np.where(cells.observed, standardised - mean, 0.0)
    conditional = _fill(deviations, cells, _precision(covariance, labels))
    uncertainty = np.zeros(covariance.size)
    for batch, blocks in zip(cells.batches, conditional, strict=True):
        uncertainty += np.bincount(
            batch.blocks.ravel(),
            weights=(blocks * weights[batch.rows, None, None]).ravel(),
            minlength=covariance.size,
        )
    return deviations, uncertainty.reshape(covariance.shape)


def _fill(deviations: Floats, cells: MissingCells, precision: Floats) -> list[Floats]:
    """Writes conditional means into `deviations` (0 where missing); conditional covariances.

    With the precision matrix K, Cov(z_mis | z_obs) = inverse of K_mm and the conditional mean
    is minus that times K_mo z_obs: one inverse of the whole matrix serves all rows, and each
    row costs only the inverse of its missing block.
    """
    products = deviations @ precision
    conditional = []
    for batch in cells.batches:
        inverse = np.linalg.inv(precision.take(batch.blocks))
        blocks: Floats = np.asarray(inverse, dtype=np.float64)
        cell = (batch.rows[:, None], batch.columns)
        deviations[cell] = -np.einsum("gij,gj->gi", blocks, products[cell])
        conditional.append(blocks)
    return conditional


def _precision(correlation: Floats, labels: Sequence[str] | None) -> Floats:
    # LAPACK itself: what scipy.linalg wraps around it takes longer than so small a matrix.
    factor, failed_minor = dpotrf(correlation, lower=True)
    if failed_minor:
        raise InsufficientDataError(
            "the covariance of the columns is singular: some benchmark is a linear combination "
            "of others, so its missing cells cannot be told apart"
        )
    precision: Floats = dpotrs(factor, np.eye(len(correlation)), lower=True)[0]
    # The diagonal is 1 / (1 - R squared) of each column on all others.
    if np.diagonal(precision).max() > 1e10:
        worst = int(np.diagonal(precision).argmax())
        raise InsufficientDataError(
            f"{_label(labels, worst)} is a linear combination of other columns: leave it out"
        )
    return precision


def _rescaled(
    mean: Floats, covariance: Floats, centre: Floats, scale: Floats, iteration_count: int
) -> Moments:
    # Exact symmetry, which matrix products give only up to rounding.
    covariance = (covariance + covariance.T) / 2.0
    return Moments(
        mean=centre + mean * scale,
        covariance=covariance * np.outer(scale, scale),
        iteration_count=iteration_count,
    )


def _label(labels: Sequence[str] | None, index: int) -> str:
    return f"column {index}" if labels is None else f"column {labels[index]!r}"
