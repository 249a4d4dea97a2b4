"""Fixed effects: slopes within lineages, each lineage having a level of its own.

What a developer's models have in common, known or not, cannot move such a slope: it compares the
models of a lineage with one another only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.estimation.cluster_robust import cr2
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

    from models.estimation.scaling import ScalingFit

    Floats = NDArray[np.float64]


def fit_lineage_fixed_effects(
    log10_train_flop: ArrayLike,
    value: ArrayLike,
    lineage: ArrayLike,
    *,
    confidence: float = 0.95,
) -> ScalingFit:
    """Least squares of value on log10 train_flop with an intercept of each lineage.

    The error is CR2 over lineages with the degrees of freedom of Pustejovsky and Tipton (2018,
    Journal of Business and Economic Statistics 36(4):672-683); the intercepts may be taken off
    first, which changes neither. Lineages with equal variation of compute make it the t-test of
    the mean of their slopes (Ibragimov and Mueller 2010, Journal of Business and Economic
    Statistics 28(4):453-468), exact whatever the errors of a lineage have in common.

    Arguments and errors as in `fit_ols`. A lineage whose models have the same compute has no slope:
    it and its models are not counted. Correlation and R squared are those within lineages, the
    intercept is the mean one of the models. The effective number of lineages takes models as
    independent about their lineage's level. The slope is NaN with fewer than three models in
    lineages that have one, its error with fewer than two such lineages.
    """
    points = points_of(log10_train_flop, value, lineage)
    if not points.has_line:
        return points.fit("lineage_fixed_effects", (0, 0))
    x, y = within_lineages(points)
    squares = lineage_sums(points.lineage, x**2)
    informs = squares > 1e-12 * float(points.x @ points.x)
    is_counted = informs[points.lineage]
    counts = int(is_counted.sum()), int(informs.sum())
    if counts[0] < 3:
        return points.fit("lineage_fixed_effects", counts)
    x, y = x[is_counted], y[is_counted]
    numbers = np.unique(points.lineage[is_counted], return_inverse=True)[1]
    x_sum_of_squares = float(x @ x)
    slope = x @ y / x_sum_of_squares
    residuals = y - np.outer(x, slope)
    error = cr2(x[:, None] / np.sqrt(x_sum_of_squares), residuals, numbers)
    residual, total = (residuals**2).sum(axis=0), (y**2).sum(axis=0)
    degrees_of_freedom = counts[0] - counts[1] - 1
    x_mean = float(points.x[is_counted].mean())
    y_mean = points.y_mean + points.y[is_counted].mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r_squared = 1.0 - residual / total
        deviation = np.sqrt(residual / degrees_of_freedom) if degrees_of_freedom else NAN
    return points.fit(
        "lineage_fixed_effects",
        counts,
        slope=slope,
        intercept=y_mean - slope * (points.x_mean + x_mean),
        pearson=np.copysign(np.sqrt(np.maximum(r_squared, 0.0)), slope),
        r_squared=r_squared,
        residual_standard_deviation=deviation,
        x_min=points.x_mean + points.x[is_counted].min(),
        x_max=points.x_mean + points.x[is_counted].max(),
        x_mean=points.x_mean + x_mean,
        x_sum_of_squares=x_sum_of_squares,
        effective_lineage_count=effective_count(squares[informs]),
        largest_lineage_leverage=largest_share(squares[informs]),
        **inference(
            slope,
            error.standard_error / np.sqrt(x_sum_of_squares),
            error.degrees_of_freedom,
            confidence,
        ),
    )
