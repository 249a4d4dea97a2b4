"""Made-up models of lineages, and cluster-robust errors as textbooks write them down."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Draw(NamedTuple):
    """Compute, values and lineages of models."""

    x: np.ndarray
    y: np.ndarray
    lineage: np.ndarray


SIZES = (7, 4, 3, 2, 2, 1, 1)
"""Models of each lineage: unequal, as in the panels."""


def draw(
    generator: np.random.Generator,
    sizes: tuple[int, ...] = SIZES,
    *,
    shared: float = 0.0,
    slope: float = 0.5,
    count: int = 1,
) -> Draw:
    """(n, `count`) values whose errors in a lineage have the correlation `shared`."""
    lineage = np.repeat(np.arange(len(sizes)), sizes)
    # Siblings have similar compute.
    x = 22 + generator.normal(0, 1, len(sizes))[lineage] + generator.normal(0, 0.4, len(lineage))
    noise = np.sqrt(shared) * generator.standard_normal((len(sizes), count))[lineage]
    noise += np.sqrt(1 - shared) * generator.standard_normal((len(lineage), count))
    return Draw(x, slope * x[:, None] + noise, lineage)


def design_of(x: np.ndarray, lineage: np.ndarray | None = None) -> np.ndarray:
    """(n, q) regressors: an intercept (with `lineage`, one of each), and compute in the last."""
    if lineage is None:
        return np.column_stack([np.ones_like(x), x - x.mean()])
    return np.column_stack([np.equal.outer(lineage, np.unique(lineage)), x - x.mean()])


class Textbook(NamedTuple):
    """Standard error of the last coefficient, and the degrees of freedom of its square."""

    standard_error: float
    degrees_of_freedom: float


def sandwich(
    design: np.ndarray, y: np.ndarray, lineage: np.ndarray, power: float = -0.5
) -> Textbook:
    """Cluster-robust error with full n by n matrices.

    `power` of I - H in each cluster: 0 is CR0, -1/2 is CR2, -1 is CR3. Degrees of freedom are those
    of Pustejovsky and Tipton (2018) for one coefficient and independent errors: the variance
    estimate is y'(sum of p p')y with one vector p of each cluster.
    """
    n = len(y)
    bread = np.linalg.inv(design.T @ design)
    residual_maker = np.eye(n) - design @ bread @ design.T
    vectors = []
    for name in np.unique(lineage):
        rows = np.flatnonzero(lineage == name)
        values, directions = np.linalg.eigh(residual_maker[np.ix_(rows, rows)])
        # The Moore-Penrose inverse, where intercepts of clusters leave no variance.
        powers = np.where(values > 1e-10, np.where(values > 1e-10, values, 1.0) ** power, 0.0)
        adjusted = directions @ (powers[:, None] * directions.T)
        contrast = adjusted @ design[rows] @ bread[:, -1]
        vectors.append(residual_maker[:, rows] @ contrast)
    form = np.array(vectors)
    variance = ((form @ y) ** 2).sum()
    products = form @ form.T
    return Textbook(np.sqrt(variance), np.trace(products) ** 2 / (products**2).sum())


def share_covered(low: np.ndarray, high: np.ndarray, truth: float) -> float:
    """How often an interval encloses the truth."""
    return float(np.mean((low <= truth) & (truth <= high)))
