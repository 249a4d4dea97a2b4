"""Anchoring: positions of all panels' models on the components of one reference panel.

Components of two panels with the same number are not the same quantity: each panel turns them to
the directions in which its own models vary most. On an anchor every model is placed on the same
loadings, in the same unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.estimation.principal_components import PrincipalComponents

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Anchor:
    """The leading K components of a reference panel on p benchmarks, kept fixed."""

    mean: Floats
    """(p,), of the benchmarks over the reference panel, in the unit of the scores."""
    standard_deviation: Floats
    """(p,), likewise, dividing by n."""
    loadings: Floats
    """(p, K), correlations of the benchmarks with the components, or those turned."""
    weights: Floats
    """(p, K), what standardised scores are multiplied by: `loadings` (`loadings'loadings`)^-1."""


def anchor(components: PrincipalComponents, count: int) -> Anchor:
    """The first `count` components that explain anything, as an anchor.

    The least-squares position of standardised scores z on loadings L is z L (L'L)^-1, for component
    k z'v_k / sqrt(lambda_k): over the reference panel its mean is 0 and its variance 1.
    """
    kept = np.flatnonzero(components.eigenvalues[:count] > 1e-12)
    roots = np.sqrt(components.eigenvalues[kept])
    vectors = components.eigenvectors[:, kept]
    return Anchor(
        mean=components.mean,
        standard_deviation=components.standard_deviation,
        loadings=vectors * roots,
        weights=vectors / roots,
    )


def turned(anchor: Anchor, rotation: Floats) -> Anchor:
    """`anchor` with loadings L R: positions turn with them, as (L R)((L R)'(L R))^-1 = W R."""
    return Anchor(
        mean=anchor.mean,
        standard_deviation=anchor.standard_deviation,
        loadings=anchor.loadings @ rotation,
        weights=anchor.weights @ rotation,
    )


def rotation_onto(loadings: Floats, target: Floats) -> Floats:
    """(K, K) orthogonal R that makes the Frobenius norm of `loadings` R - `target` smallest.

    Schoenemann 1966, Psychometrika 31:1-10: with the singular value decomposition U S V' of
    loadings' target, R = U V'. Reflections are among the R, so that signs need no rule of theirs.
    """
    left, _, right = np.linalg.svd(loadings.T @ target)
    rotation: Floats = left @ right
    return rotation


def anchored_abilities(anchor: Anchor, scores: Floats) -> Floats:
    """(n, K) positions, in standard deviations of the ability over the reference panel.

    `scores` (n, p) has no missing cell: see `missing_data.conditional_scores`.
    """
    positions: Floats = ((scores - anchor.mean) / anchor.standard_deviation) @ anchor.weights
    return positions


def tucker_congruence(loadings: Floats, others: Floats) -> Floats:
    """(j, k) congruence of each of j columns with each of k others, -1 to 1; NaN for a zero column.

    The sum of products over the root of the product of the sums of squares (Tucker 1951, Personnel
    Research Section Report 984, Department of the Army): the cosine of the two columns, not centred.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.outer(np.linalg.norm(loadings, axis=0), np.linalg.norm(others, axis=0))
        congruence: Floats = np.clip((loadings.T @ others) / sizes, -1.0, 1.0)
    return congruence
