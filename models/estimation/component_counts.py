"""Component counts: how many components of a correlation matrix are more than noise.

Three rules with different faults, to be read side by side. All take models as independent: where
models of one lineage are alike, eigenvalues of noise spread further than the thresholds here say,
and the counts by parallel analysis are too high rather than too low.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SEED = 20241219
"""Of the generated panels, so that two builds agree."""
DRAW_COUNT = 500
"""Generated panels."""
FACTOR_STEPS = 50
"""Steps of principal-axis factoring; communalities settle in fewer, or go to their bound of 1."""


def parallel_thresholds(
    row_count: int, column_count: int, *, quantile: float = 0.95, draw_count: int = DRAW_COUNT
) -> Floats:
    """(p,) points that eigenvalues of `row_count` rows of independent noise seldom exceed.

    Horn 1965, Psychometrika 30:179-185, with the `quantile` of each eigenvalue in place of its mean
    (Glorfeld 1995, Educational and Psychological Measurement 55:377-393).
    """
    roots = _noise_roots(row_count, column_count, draw_count)
    return _quantiles(np.eye(column_count), roots, quantile)


def sequential_thresholds(
    correlation: Floats, row_count: int, *, quantile: float = 0.95, draw_count: int = DRAW_COUNT
) -> Floats:
    """(p,) points that eigenvalue k seldom exceeds if there are k - 1 common factors and noise.

    NaN after the first k at which the eigenvalue of `correlation` (p, p) does not exceed its point:
    the test ends there. The factors are those of `principal_axes`. Beside noise alone, strong first
    factors leave less variance to the later eigenvalues, so that Horn's points are too high for
    them (Green, Levy, Thompson, Lu and Lo 2012, Educational and Psychological Measurement
    72:357-374).
    """
    column_count = len(correlation)
    eigenvalues = np.linalg.eigvalsh(correlation)[::-1]
    roots = _noise_roots(row_count, column_count, draw_count)
    thresholds = np.full(column_count, np.nan)
    for index in range(column_count):
        loadings = principal_axes(correlation, index)
        expected = loadings @ loadings.T
        np.fill_diagonal(expected, 1.0)
        thresholds[index] = _quantiles(expected, roots, quantile)[index]
        if eigenvalues[index] <= thresholds[index]:
            break
    return thresholds


def principal_axes(correlation: Floats, count: int) -> Floats:
    """(p, count) loadings of `count` common factors by iterated principal-axis factoring.

    Communalities begin at each column's largest correlation in size and are kept below 1 (a column
    without a part of its own is a Heywood case).
    """
    off_diagonal = correlation - np.diag(np.diagonal(correlation))
    communalities = np.abs(off_diagonal).max(axis=1)
    loadings = np.zeros((len(correlation), count))
    for _ in range(FACTOR_STEPS if count else 0):
        values, vectors = np.linalg.eigh(off_diagonal + np.diag(communalities))
        loadings = vectors[:, ::-1][:, :count] * np.sqrt(np.maximum(values[::-1][:count], 0.0))
        communalities = np.square(loadings).sum(axis=1)
        excess = np.sqrt(np.maximum(communalities, 1.0))
        loadings, communalities = loadings / excess[:, None], np.minimum(communalities, 1.0)
    return loadings


def average_partials(correlation: Floats) -> Floats:
    """(p,) mean squared partial correlation once the first 0, 1, ..., p - 1 components are removed.

    The number removed where it is smallest is Velicer's count (1976, Psychometrika 41:321-327).
    NaN from the step on that leaves some column, or all but one direction, without variance.
    """
    column_count = len(correlation)
    values, vectors = np.linalg.eigh(correlation)
    loadings = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, ::-1]
    averages = np.full(column_count, np.nan)
    for count in range(column_count - 1):
        partial = correlation - loadings[:, :count] @ loadings[:, :count].T
        variances = np.diagonal(partial)
        if variances.min() < 1e-9:
            break
        squares = np.square(partial) / np.outer(variances, variances)
        pairs = column_count * (column_count - 1)
        averages[count] = (squares.sum() - column_count) / pairs
    return averages


def _noise_roots(row_count: int, column_count: int, draw_count: int) -> Floats:
    """(draws, p, r) A of which A A' is the scatter of `row_count` rows of independent noise.

    Bartlett's decomposition of a Wishart matrix (1933, Proceedings of the Royal Society of
    Edinburgh 53:260-283): its cost does not grow with the number of rows.
    """
    degrees_of_freedom = row_count - 1
    rank = min(column_count, degrees_of_freedom)
    generator = np.random.default_rng(SEED)
    roots = np.tril(generator.standard_normal((draw_count, column_count, rank)))
    diagonal = np.arange(rank)
    chi_squares = generator.chisquare(degrees_of_freedom - diagonal, (draw_count, rank))
    roots[:, diagonal, diagonal] = np.sqrt(chi_squares)
    return roots


def _quantiles(expected: Floats, roots: Floats, quantile: float) -> Floats:
    """(p,) of the eigenvalues of drawn correlations, largest first, if `expected` is the truth."""
    values, vectors = np.linalg.eigh(expected)
    # A Heywood case may take the smallest eigenvalue below zero by rounding.
    turned = (vectors * np.sqrt(np.maximum(values, 0.0))) @ roots
    turned /= np.linalg.norm(turned, axis=2, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(turned @ turned.swapaxes(1, 2))[:, ::-1]
    points: Floats = np.quantile(eigenvalues, quantile, axis=0)
    return points
