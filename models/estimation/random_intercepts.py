"""Random intercepts: slopes between and within lineages, weighed by how alike siblings are.

value = intercept + slope x + level of the lineage + residual, levels and residuals normal and
independent. Their variances are estimated by restricted maximum likelihood (Patterson and Thompson
1971, Biometrika 58(3):545-554), profiled down to their ratio, which is found by bracketing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import elementwise

from models.estimation.scaling import (
    NAN,
    effective_count,
    inference,
    largest_share,
    lineage_sums,
    points_of,
    within_lineages,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from models.estimation.scaling import Points, ScalingFit

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]

# The likelihood may have two maxima: the higher one is looked for among these correlations of
# siblings. Beyond the last one nothing but rounding is left of the residuals.
GRID = np.concatenate([np.linspace(0.0, 0.9, 19), 1.0 - np.geomspace(0.08, 1e-8, 17)])


@dataclass(frozen=True, slots=True)
class _Profile:
    """What the restricted likelihood of k values depends on, whatever the ratio of variances."""

    size: Floats
    """(G,) models of each lineage."""
    x: Floats
    """(G,) mean compute of each lineage."""
    y: Floats
    """(k, G) mean values of each lineage."""
    within_xx: Floats
    """(G,) sums of squared deviations of compute from the mean of the lineage."""
    within_xy: Floats
    """(k,)"""
    within_yy: Floats
    """(k,)"""

    def at(self, correlation: Floats, value: Integers | slice) -> _Estimates:
        """Estimates of the values (all, or those numbered) at (..., k) `correlation` of siblings.

        With variance ratio g of levels to residuals, the inverse covariance of a lineage of m
        models is I less g / (1 + m g) in every cell: sums of products within lineages stay, those
        of lineage means count m / (1 + m g) instead of m times.
        """
        ratio = (correlation / (1.0 - correlation))[..., None]
        weight = self.size / (1.0 + ratio * self.size)
        y = self.y[value]
        total = weight.sum(axis=-1)
        x_mean = (weight @ self.x) / total
        x = self.x - x_mean[..., None]
        y_mean = (weight * y).sum(axis=-1) / total
        deviation = y - y_mean[..., None]
        within_xx = self.within_xx.sum()
        sum_xx = within_xx + (weight * x**2).sum(axis=-1)
        slope = (self.within_xy[value] + (weight * x * deviation).sum(axis=-1)) / sum_xx
        residual = deviation - slope[..., None] * x
        within = self.within_yy[value] - 2.0 * slope * self.within_xy[value] + slope**2 * within_xx
        return _Estimates(
            slope=slope,
            intercept=y_mean - slope * x_mean,
            x=x,
            sum_xx=sum_xx,
            weight=weight,
            total=total,
            residual=residual,
            residual_sum=np.maximum(within, 0.0) + (weight * residual**2).sum(axis=-1),
            size=self.size,
            ratio=ratio,
        )


@dataclass(frozen=True, slots=True)
class _Estimates:
    """Generalised least squares at given correlations of siblings, all (...) or (..., G)."""

    slope: Floats
    intercept: Floats
    x: Floats
    """Mean compute of each lineage, less the weighted mean."""
    sum_xx: Floats
    """Weighted sum of squares of compute: the slope's variance is the residual one over it."""
    weight: Floats
    total: Floats
    residual: Floats
    """Of the mean of each lineage."""
    residual_sum: Floats
    """Weighted sum of squared residuals."""
    size: Floats
    ratio: Floats

    @property
    def degrees_of_freedom(self) -> float:
        """Of all residuals: two coefficients are estimated."""
        return float(self.size.sum()) - 2.0

    @property
    def log_likelihood(self) -> Floats:
        """Restricted, the residual variance at its best, up to a constant."""
        spread = np.log1p(self.ratio * self.size).sum(axis=-1)
        likelihood: Floats = -0.5 * (
            self.degrees_of_freedom * np.log(self.residual_sum)
            + spread
            + np.log(self.total * self.sum_xx)
        )
        return likelihood

    @property
    def score(self) -> Floats:
        """Twice the derivative of `log_likelihood` by the ratio of variances."""
        squared = self.weight**2
        explained = (squared * self.residual**2).sum(axis=-1) / self.residual_sum
        known = squared.sum(axis=-1) / self.total + (squared * self.x**2).sum(axis=-1) / self.sum_xx
        score: Floats = self.degrees_of_freedom * explained - self.weight.sum(axis=-1) + known
        return score


def fit_lineage_random_intercepts(
    log10_train_flop: ArrayLike,
    value: ArrayLike,
    lineage: ArrayLike,
    *,
    confidence: float = 0.95,
) -> ScalingFit:
    """The slope of value on log10 train_flop where each lineage has a normal level of its own.

    The interval has Student's t of one degree of freedom less than there are lineages: the error
    takes the variances as known, which few lineages do not let it.

    Arguments and errors as in `fit_ols`. Leverage and effective number of lineages are those of the
    estimated covariance. All estimates are NaN with fewer than three lineages, or if models leave
    no residual within lineages, from which the residual variance is known.
    """
    points = points_of(log10_train_flop, value, lineage)
    model_count, lineage_count = points.counts
    if not points.has_line or lineage_count < 3:
        return points.fit("lineage_random_intercepts", points.counts)
    profile = _profile(points)
    total = (points.y**2).sum(axis=0)
    has_within_x = profile.within_xx.sum() > 1e-12 * float(points.x @ points.x)
    within = profile.within_yy - (
        profile.within_xy**2 / profile.within_xx.sum() if has_within_x else 0.0
    )
    # Values that do not vary have a flat line whatever the variances.
    is_flat = total == 0.0
    is_known = is_flat | (within > 1e-12 * total)
    if model_count - lineage_count - has_within_x < 1 or not is_known.any():
        return points.fit("lineage_random_intercepts", points.counts)
    correlation = _correlations(profile, np.flatnonzero(is_known & ~is_flat))
    best = profile.at(correlation, slice(None))
    variance = best.residual_sum / best.degrees_of_freedom
    informations = profile.within_xx + best.weight * best.x**2
    found: dict[str, Any] = {
        "slope": best.slope,
        "intercept": points.y_mean + best.intercept - best.slope * points.x_mean,
        "residual_standard_deviation": np.sqrt(variance),
        "effective_lineage_count": effective_count(informations),
        "largest_lineage_leverage": largest_share(informations),
        "intra_lineage_correlation": np.where(is_flat, NAN, correlation),
        **inference(best.slope, np.sqrt(variance / best.sum_xx), lineage_count - 1, confidence),
    }
    return points.fit(
        "lineage_random_intercepts",
        points.counts,
        **{name: np.where(is_known, values, NAN) for name, values in found.items()},
        x_min=points.x_mean + points.x.min(),
        x_max=points.x_mean + points.x.max(),
        x_mean=points.x_mean,
        x_sum_of_squares=float(points.x @ points.x),
    )


def _profile(points: Points) -> _Profile:
    size = np.bincount(points.lineage).astype(np.float64)
    x, y = within_lineages(points)
    return _Profile(
        size=size,
        x=lineage_sums(points.lineage, points.x) / size,
        y=lineage_sums(points.lineage, points.y).T / size,
        within_xx=lineage_sums(points.lineage, x**2),
        within_xy=x @ y,
        within_yy=(y**2).sum(axis=0),
    )


def _correlations(profile: _Profile, varying: Integers) -> Floats:
    """(k,) correlation of siblings of highest likelihood; 0 for values that are not `varying`."""
    correlation = np.zeros(len(profile.y))
    # In parts whose temporary arrays stay small, however many the values and lineages.
    part_count = 1 + len(varying) * len(GRID) * len(profile.size) // 1_000_000
    for part in np.array_split(varying, part_count):
        grid = profile.at(GRID[:, None], part)
        highest = grid.log_likelihood.argmax(axis=0)
        is_rising = np.take_along_axis(grid.score, highest[None], axis=0)[0] > 0.0
        # The maximum lies past the highest point where the likelihood still rises, else before it.
        low = np.where(is_rising, highest, highest - 1)
        is_inside = (low >= 0) & (low < len(GRID) - 1)
        correlation[part] = np.where(low < 0, 0.0, GRID[-1])
        correlation[part[is_inside]] = _roots(profile, part[is_inside], low[is_inside])
    return correlation


def _roots(profile: _Profile, value: Integers, low: Integers) -> Floats:
    """Where the score of each of the numbered values is 0, after its point `low` of the grid."""

    def score(tried: Floats, number: Floats) -> Floats:
        return profile.at(tried, number.astype(np.intp)).score

    roots: Floats = elementwise.find_root(score, (GRID[low], GRID[low + 1]), args=(value,)).x
    return roots
