"""Jackknife: how uncertain components and abilities are, from leaving models out.

Nothing is drawn at random, and the same replicates serve panels with and without missing
cells. On simulated panels the intervals cover more evenly than percentile bootstrap intervals,
which are too narrow for the loadings of component 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import stdtrit

from models.estimation.errors import EstimationError, InsufficientDataError
from models.estimation.missing_data import (
    conditional_scores,
    estimate_moments,
    missing_cells,
    projection_variance,
)
from models.estimation.principal_components import (
    PrincipalComponents,
    abilities,
    principal_components,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Standard error and confidence interval of an array of estimates, in its shape.

    An interval is NaN where the scale it is made on is unbounded: a ratio of 0 or 1, a loading
    of -1 or 1, in the panel or in any replicate.
    """

    standard_error: Floats
    """On the scale of the estimate itself."""
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class AbilityUncertainty:
    """Standard errors of the abilities, (n, p), in standardised score units."""

    estimation: Floats
    """From the components being estimated on these models and no others."""
    item: Floats
    """From the standard errors of the scores; a lower bound where some are unknown."""
    missing: Floats
    """From missing cells; 0 for a model with none."""

    @property
    def total(self) -> Floats:
        """Root of the summed squares of the three."""
        total: Floats = np.sqrt(self.estimation**2 + self.item**2 + self.missing**2)
        return total


@dataclass(frozen=True, slots=True)
class ComponentAnalysis:
    """Components of n models on p benchmarks, with abilities and all uncertainties."""

    components: PrincipalComponents
    abilities: Floats
    """(n, p), see `principal_components.abilities`."""
    ratio: Uncertainty
    """(p,), of the explained variance ratio."""
    loading: Uncertainty
    """(p, p), of the loadings."""
    ability: AbilityUncertainty
    group_count: int
    """Jackknife replicates; one less is the degrees of freedom of the intervals."""


def delete_groups(row_count: int) -> Integers:
    """(n,) group of each row; a replicate leaves one group out.

    Up to 200 rows each row is its own group. Beyond, row i goes to group i modulo 50: the cost is
    then that of 50 fits whatever the number of models, while the standard error itself is known to
    about 1 / sqrt(2 x 49) = 10 percent and the t quantile (2.01) is hardly above the normal one.
    Neighbouring rows, often one family's, land in different groups: a group is then a cross-section
    of the panel, and models count as independent, as they do when each is a group.
    """
    positions = np.arange(row_count)
    return positions if row_count <= 200 else positions % 50


def analyse_components(
    scores: Floats,
    standard_errors: Floats | None = None,
    *,
    labels: Sequence[str] | None = None,
    confidence: float = 0.95,
    replicate_tolerance: float = 1e-6,
) -> ComponentAnalysis:
    """Components, abilities and their delete-a-group jackknife uncertainties.

    A replicate's components are matched to the panel's so that the sum of absolute inner
    products is largest, and turned to agree in sign; otherwise two components with close
    eigenvalues would swap places and count as changed. Intervals use Student's t with one
    degree of freedom less than there are groups, on the logit scale for ratios and on Fisher's
    z scale for loadings. A model's ability in a replicate is its projection on the replicate's
    components, whether or not the model is among those left out.

    Args:
        scores: (n, p), any unit; NaN where missing.
        standard_errors: (n, p), in the unit of the scores; NaN where unknown.
        labels: (p,) names of the columns, for error messages.
        confidence: coverage aimed at by the intervals.
        replicate_tolerance: as `tolerance` of `estimate_moments`. A replicate starts from the
            panel's moments, so stopping early would understate its distance from them; that
            distance is some 1e-3 of a standard deviation or more, so the default costs the
            standard errors 1e-3 of their size where EM halves its error at each step, and 1e-2
            where it keeps nine tenths of it.

    Raises:
        EstimationError: as `estimate_moments`, for the panel or with a group left out; or
            fewer than four rows.
    """
    row_count = len(scores)
    if row_count < 4:
        raise InsufficientDataError(f"{row_count} rows of scores: leaving one out needs at least 4")
    cells = missing_cells(scores)
    moments = estimate_moments(scores, cells=cells, labels=labels)
    components = principal_components(moments)
    positions = abilities(components, conditional_scores(scores, moments, cells=cells))

    groups = delete_groups(row_count)
    group_count = int(groups.max()) + 1
    ratios, loadings = [], []
    # Abilities of all replicates would not fit in memory; their sums do. Differences from the
    # panel's abilities are summed, which keeps the variance from cancelling.
    difference_sum, difference_squares = np.zeros_like(positions), np.zeros_like(positions)
    for group in range(group_count):
        try:
            replicate_moments = estimate_moments(
                scores,
                weights=(groups != group).astype(np.float64),
                start=moments,
                cells=cells,
                labels=labels,
                tolerance=replicate_tolerance,
            )
        except EstimationError as error:
            rows = np.flatnonzero(groups == group)
            raise type(error)(
                f"with {len(rows)} of {row_count} rows left out (first: row {int(rows[0])}): "
                f"{error}"
            ) from error
        replicate = aligned(principal_components(replicate_moments), components)
        ratios.append(replicate.explained_variance_ratio)
        loadings.append(replicate.loadings)
        completed = conditional_scores(scores, replicate_moments, cells=cells)
        difference = abilities(replicate, completed) - positions
        difference_sum += difference
        difference_squares += difference**2

    quantile = float(stdtrit(group_count - 1, (1.0 + confidence) / 2.0))
    squares = np.maximum(difference_squares - difference_sum**2 / group_count, 0.0)
    variance = projection_variance(moments, components.eigenvectors, cells, standard_errors)
    return ComponentAnalysis(
        components=components,
        abilities=positions,
        ratio=_uncertainty(
            components.explained_variance_ratio, np.array(ratios), _logit, _inverse_logit, quantile
        ),
        loading=_uncertainty(
            components.loadings, np.array(loadings), np.arctanh, np.tanh, quantile
        ),
        ability=AbilityUncertainty(
            estimation=np.sqrt((group_count - 1) / group_count * squares),
            item=np.sqrt(variance.item),
            missing=np.sqrt(variance.missing),
        ),
        group_count=group_count,
    )


def aligned(replicate: PrincipalComponents, reference: PrincipalComponents) -> PrincipalComponents:
    """`replicate` with its components in the order and with the signs of `reference`."""
    products = reference.eigenvectors.T @ replicate.eigenvectors
    matched = linear_sum_assignment(np.abs(products), maximize=True)[1]
    signs = np.where(products[np.arange(len(matched)), matched] < 0.0, -1.0, 1.0)
    return PrincipalComponents(
        mean=replicate.mean,
        standard_deviation=replicate.standard_deviation,
        eigenvalues=replicate.eigenvalues[matched],
        eigenvectors=replicate.eigenvectors[:, matched] * signs,
    )


def jackknife_standard_error(replicates: Floats) -> Floats:
    """Standard error from (G, ...) replicates: root of (G-1)/G times their sum of squares."""
    group_count = len(replicates)
    squares = ((replicates - replicates.mean(axis=0)) ** 2).sum(axis=0)
    standard_error: Floats = np.sqrt((group_count - 1) / group_count * squares)
    return standard_error


def _uncertainty(
    estimate: Floats,
    replicates: Floats,
    transform: Callable[[Floats], Floats],
    inverse: Callable[[Floats], Floats],
    quantile: float,
) -> Uncertainty:
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = transform(estimate)
        margin = quantile * jackknife_standard_error(transform(replicates))
    unbounded = ~np.isfinite(centre) | ~np.isfinite(margin)
    centre[unbounded] = np.nan
    return Uncertainty(
        standard_error=jackknife_standard_error(replicates),
        low=inverse(centre - margin),
        high=inverse(centre + margin),
    )


def _logit(ratio: Floats) -> Floats:
    # A singular correlation matrix has eigenvalues of rounding size: they are zeros.
    ratio = np.where(ratio < 1e-12, 0.0, ratio)
    logit: Floats = np.log(ratio) - np.log1p(-ratio)
    return logit


def _inverse_logit(logit: Floats) -> Floats:
    ratio: Floats = 1.0 / (1.0 + np.exp(-logit))
    return ratio
