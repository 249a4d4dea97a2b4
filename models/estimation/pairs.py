"""Pairs: what training a model further changed, from children paired with what they started from.

A child's gain is its value less its parent's, so that what both share (size, architecture, the
parent's data) is out of it. Gains are not independent of each other all the same. Children of one
lineage start from the same parents, errors of whose scores are in all their gains; children of one
developer are trained on the same data in the same way. Children of one developer from one lineage,
mostly sizes of one model, are one *unit*, and count once, whatever their number: each has the
weight 1 / (number of children in its unit).

Units share lineages and developers, crosswise, so that no set of independent groups can be made of
them. Variances are therefore those of two-way clustering by the jackknife (MacKinnon, Nielsen and
Webb 2024, Jackknife inference with two-way clustering, arXiv 2406.08880): with L, D and U the
delete-one-group variances by lineages, by developers and by units, the largest of L, D and
L + D - U. The last can be too small, or negative, by chance; L is what it is when developers do not
matter, and D when lineages do not. Intervals have Student's t with the smaller number of groups
less 1 degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr, stdtrit

from models.estimation.errors import EstimationError
from models.estimation.jackknife import Jackknife

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class PairedEffect:
    """A mean of paired values, or their slope on a dose; NaN where undefined."""

    pair_count: int
    unit_count: int
    lineage_count: int
    developer_count: int
    estimate: float = NAN
    """Mean over units of their mean, or slope with the same weights, in the unit of the values."""
    lineage_standard_error: float = NAN
    """With lineages taken as independent."""
    developer_standard_error: float = NAN
    unit_standard_error: float = NAN
    standard_error: float = NAN
    """Of two-way clustering, never below that by lineages or by developers."""
    degrees_of_freedom: int = 0
    """Of the interval: the smaller number of lineages and developers, less 1."""
    ci_low: float = NAN
    ci_high: float = NAN
    p_value: float = NAN
    """Two-sided, of an effect of 0; NaN if the standard error is 0 or undefined."""


def paired_effect(
    values: ArrayLike,
    lineages: ArrayLike,
    developers: ArrayLike,
    doses: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
) -> PairedEffect:
    """The mean of paired values over units or, with `doses`, their slope on these.

    Args:
        values: (n,), of each child against its parent.
        lineages: (n,), label of the parent's lineage.
        developers: (n,), label of the child's developer.
        doses: (n,), what the values are regressed on, such as log10 of added tokens.
        confidence: coverage aimed at by the interval.

    A slope of fewer than three pairs, or of one dose, is NaN. There is no interval with fewer than
    three lineages or three developers, nor if leaving one of them out leaves no estimate.

    Raises:
        EstimationError: no pair, a number that is not finite, or lengths that differ.
    """
    y = np.asarray(values, dtype=np.float64)
    x = None if doses is None else np.asarray(doses, dtype=np.float64)
    lineage = np.unique(np.asarray(lineages), return_inverse=True)[1]
    developer = np.unique(np.asarray(developers), return_inverse=True)[1]
    lengths = {len(y), len(lineage), len(developer), len(y if x is None else x)}
    if len(lengths) != 1 or not len(y):
        raise EstimationError(
            f"{len(y)} values, {len(lineage)} lineages and {len(developer)} developers"
            f"{'' if x is None else f' and {len(x)} doses'}: one of each per pair is needed"
        )
    wrong = np.flatnonzero(~np.isfinite(y) | (False if x is None else ~np.isfinite(x)))
    if len(wrong):
        raise EstimationError(
            f"pair {int(wrong[0])}: its value {y[wrong[0]]}"
            f"{'' if x is None else f' and dose {x[wrong[0]]}'} must be finite numbers"
        )
    unit = np.unique(lineage * (developer.max() + 1) + developer, return_inverse=True)[1]
    weights = 1.0 / np.bincount(unit)[unit]
    lineage_count, developer_count = int(lineage.max()) + 1, int(developer.max()) + 1
    estimate = float(_estimates(y, x, weights, np.zeros_like(unit), keep=True)[0])
    variances = [
        _variance(estimate, _estimates(y, x, weights, group, keep=False))
        for group in (lineage, developer, unit)
    ]
    by_lineage, by_developer, by_unit = variances
    degrees_of_freedom = min(lineage_count, developer_count) - 1
    variance = NAN
    if degrees_of_freedom >= 2 and not np.isnan(variances).any():
        variance = max(by_lineage, by_developer, by_lineage + by_developer - by_unit)
    standard_error = float(np.sqrt(variance))
    margin = float(stdtrit(max(degrees_of_freedom, 1), (1.0 + confidence) / 2.0)) * standard_error
    return PairedEffect(
        pair_count=len(y),
        unit_count=int(unit.max()) + 1,
        lineage_count=lineage_count,
        developer_count=developer_count,
        estimate=estimate,
        lineage_standard_error=float(np.sqrt(by_lineage)),
        developer_standard_error=float(np.sqrt(by_developer)),
        unit_standard_error=float(np.sqrt(by_unit)),
        standard_error=standard_error,
        degrees_of_freedom=degrees_of_freedom,
        ci_low=estimate - margin,
        ci_high=estimate + margin,
        p_value=(
            float(2.0 * stdtr(degrees_of_freedom, -abs(estimate) / standard_error))
            if standard_error > 0.0
            else NAN
        ),
    )


def _estimates(
    y: Floats, x: Floats | None, weights: Floats, group: Integers, *, keep: bool
) -> Floats:
    """(G,) estimate without each group, or with `keep` on each alone; NaN where undefined.

    A group holds whole units, so that leaving one out changes no other pair's weight.
    """
    # Centring keeps the differences of sums below from cancelling.
    centre = y.mean()
    y = y - centre
    dose = np.zeros_like(y) if x is None else x - x.mean()
    terms = (weights, weights * y, weights * dose, weights * dose * dose, weights * dose * y)
    sums = np.array([np.bincount(group, weights=term) for term in (np.ones_like(y), *terms)])
    if not keep:
        sums = sums.sum(axis=1, keepdims=True) - sums
    count, total, sum_y, sum_x, sum_xx, sum_xy = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        if x is None:
            means: Floats = np.where(count > 0.5, centre + sum_y / total, NAN)
            return means
        variation = sum_xx - sum_x**2 / total
        slopes: Floats = (sum_xy - sum_x * sum_y / total) / variation
    # What is left of equal doses by rounding is no variation.
    slopes[(count < 2.5) | ~(variation > 1e-12 * (weights * dose * dose).sum())] = NAN
    return slopes


def _variance(estimate: float, replicates: Floats) -> float:
    """Of delete-one-group `replicates`; NaN for one group, or if one of them is NaN."""
    if len(replicates) < 2:
        return NAN
    jackknife = Jackknife(estimate)
    jackknife.add(replicates)
    return float(jackknife.uncertainty().standard_error) ** 2
