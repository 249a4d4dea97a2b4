"""Component analysis: components and abilities of a panel, and how uncertain they are.

The jackknife serves panels with and without missing cells alike. On simulated panels its
intervals cover more evenly than percentile bootstrap intervals, which are too narrow for the
loadings of component 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.estimation.errors import EstimationError, InsufficientDataError
from models.estimation.jackknife import FISHER_Z, LOGIT, Jackknife, Uncertainty, delete_groups
from models.estimation.missing_data import (
    Moments,
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
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from models.estimation.missing_data import MissingCells

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]


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


def analyse_components(
    scores: Floats,
    standard_errors: Floats | None = None,
    *,
    groups: Integers | None = None,
    labels: Sequence[str] | None = None,
    confidence: float = 0.95,
    replicate_tolerance: float = 1e-6,
) -> ComponentAnalysis:
    """Components, abilities and their delete-a-group jackknife uncertainties.

    Intervals are made on the logit scale for ratios and on Fisher's z scale for loadings. A
    model's ability in a replicate is its projection on the replicate's components, whether or not
    the model is among those left out.

    Args:
        scores: (n, p), any unit; NaN where missing.
        standard_errors: (n, p), in the unit of the scores; NaN where unknown.
        groups: (n,) labels of what is independent, such as lineages; None takes models as
            independent, see `delete_groups`.
        labels: (p,) names of the columns, for error messages.
        confidence: coverage aimed at by the intervals.
        replicate_tolerance: as `tolerance` of `estimate_moments`. A replicate starts from the
            panel's moments, so stopping early would understate its distance from them; that
            distance is some 1e-3 of a standard deviation or more, so the default costs the
            standard errors 1e-3 of their size where EM halves its error at each step, and 1e-2
            where it keeps nine tenths of it.

    Raises:
        EstimationError: as `estimate_moments`, for the panel or with a group left out; or
            fewer than four rows or three groups.
    """
    row_count = len(scores)
    if row_count < 4:
        raise InsufficientDataError(f"{row_count} rows of scores: leaving one out needs at least 4")
    labels_of_groups, groups = np.unique(
        delete_groups(row_count) if groups is None else groups, return_inverse=True
    )
    group_count = len(labels_of_groups)
    if group_count < 3:
        raise InsufficientDataError(f"{group_count} groups of rows: at least 3 are needed")

    panel = _Panel(scores, missing_cells(scores), labels)
    fit = _fit(panel, estimate_moments(scores, cells=panel.cells, labels=labels))
    ratio = Jackknife(fit.components.explained_variance_ratio, LOGIT)
    loading = Jackknife(fit.components.loadings, FISHER_Z)
    ability = Jackknife(fit.abilities)
    for replicate in _replicates(panel, fit, groups, replicate_tolerance):
        ratio.add(replicate.components.explained_variance_ratio[None])
        loading.add(replicate.components.loadings[None])
        ability.add(replicate.abilities[None])

    variance = projection_variance(
        fit.moments, fit.components.eigenvectors, panel.cells, standard_errors
    )
    return ComponentAnalysis(
        components=fit.components,
        abilities=fit.abilities,
        ratio=ratio.uncertainty(confidence),
        loading=loading.uncertainty(confidence),
        ability=AbilityUncertainty(
            estimation=ability.uncertainty(confidence).standard_error,
            item=np.sqrt(variance.item),
            missing=np.sqrt(variance.missing),
        ),
        group_count=group_count,
    )


def aligned(replicate: PrincipalComponents, reference: PrincipalComponents) -> PrincipalComponents:
    """`replicate` with its components in the order and with the signs of `reference`.

    They are matched so that the sum of absolute inner products is largest; otherwise two components
    with close eigenvalues would swap places and count as changed.
    """
    products = reference.eigenvectors.T @ replicate.eigenvectors
    matched = linear_sum_assignment(np.abs(products), maximize=True)[1]
    signs = np.where(products[np.arange(len(matched)), matched] < 0.0, -1.0, 1.0)
    return PrincipalComponents(
        mean=replicate.mean,
        standard_deviation=replicate.standard_deviation,
        eigenvalues=replicate.eigenvalues[matched],
        eigenvectors=replicate.eigenvectors[:, matched] * signs,
    )


@dataclass(frozen=True, slots=True)
class _Panel:
    scores: Floats
    cells: MissingCells
    labels: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class _Fit:
    """What is estimated on some rows, and the abilities of all rows in it."""

    moments: Moments
    components: PrincipalComponents
    abilities: Floats


def _fit(panel: _Panel, moments: Moments, reference: PrincipalComponents | None = None) -> _Fit:
    components = principal_components(moments)
    if reference is not None:
        components = aligned(components, reference)
    completed = conditional_scores(panel.scores, moments, cells=panel.cells)
    return _Fit(moments, components, abilities(components, completed))


def _replicates(panel: _Panel, fit: _Fit, groups: Integers, tolerance: float) -> Iterator[_Fit]:
    """The fit without each group; `groups` are numbers from 0 without a gap."""
    for group in range(int(groups.max()) + 1):
        is_left_out = groups == group
        try:
            moments = estimate_moments(
                panel.scores,
                weights=(~is_left_out).astype(np.float64),
                start=fit.moments,
                cells=panel.cells,
                labels=panel.labels,
                tolerance=tolerance,
            )
        except EstimationError as error:
            rows = np.flatnonzero(is_left_out)
            raise type(error)(
                f"with {len(rows)} of {len(groups)} rows left out (first: row {int(rows[0])}): "
                f"{error}"
            ) from error
        yield _fit(panel, moments, fit.components)
