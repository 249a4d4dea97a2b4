"""Lineage prediction: how well values are predicted of a lineage that the fit has not seen.

Each lineage is left out in turn, a line is fitted by least squares to the models of the others, and
the models left out are predicted (cross-validation by groups: Roberts et al. 2017, Ecography
40:913). Skill is one less the ratio of the mean squared error to that of predicting the mean of the
other lineages (Murphy 1988, Monthly Weather Review 116:2417): 0 is no better than the mean, and
below 0 is worse.

Errors are means over lineages of a lineage's mean over its models, so that a lineage counts once: a
lineage is what would be new. Figures in which every model counts once stand beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtrit

from models.estimation.errors import EstimationError
from models.estimation.jackknife import Jackknife, Scale

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]

LOGARITHM = Scale(np.log, np.exp)
"""Of ratios of squared errors, above 0."""
SMALLEST_VOLUME = 1e-9
"""Determinant of the normal equations, relative to that of uncorrelated columns, below which
predictors count as linearly dependent: 1 - R^2 of one of them on the others."""


class Intervals(NamedTuple):
    """Prediction intervals, (n, t) each; NaN where there is none."""

    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class HeldOutPredictions:
    """Predictions of the t values of n models, each made without the model's lineage.

    All NaN where the predictors cannot be fitted without some lineage: with fewer than three
    lineages, or where the predictors do not vary, or not apart from one another, in the others.
    """

    lineages: Integers
    """(n,) number of the lineage of each model, from 0 without a gap."""
    values: Floats
    """(n, t), what was to be predicted."""
    predictions: Floats
    """(n, t), unit of the values."""
    intervals: Intervals
    """By Student's t with the residuals of the fit, models taken as independent (Draper and Smith
    1998, Applied Regression Analysis, 3rd ed., section 3.1); NaN without a degree of freedom."""
    lineage_intervals: Intervals
    """With the errors of the other lineages, each predicted without itself and without the model's
    lineage: their root mean square times Student's t with two degrees of freedom fewer than there
    are lineages. NaN where one of them cannot be predicted."""
    r_squared: Floats
    """(t,) of the fit to all models; NaN if the value does not vary."""
    squared_errors: Floats
    """(G, t), mean over the models of each lineage."""
    squared_errors_without: Floats
    """(G, G, t), of the lineage (first) when another (second) is left out as well; on the diagonal
    `squared_errors`."""


@dataclass(frozen=True, slots=True)
class PredictionErrors:
    """How well t values were predicted, (t,) each, against the mean as predictor."""

    root_mean_square_error: Floats
    mean_absolute_error: Floats
    skill: Floats
    """NaN if the value does not vary."""
    skill_low: Floats
    """95% interval over lineages by the jackknife, all of the cross-validation done again without
    each lineage, on the logarithm of the ratio of mean squared errors. NaN where that cannot be
    done, where the value does not vary, or where a prediction is perfect."""
    skill_high: Floats
    interval_coverage: Floats
    """Share of values in the `intervals`; NaN where there are none."""
    lineage_interval_coverage: Floats
    """Share of values in the `lineage_intervals`; NaN where one is missing."""
    root_mean_square_error_by_model: Floats
    mean_absolute_error_by_model: Floats
    skill_by_model: Floats
    interval_coverage_by_model: Floats
    lineage_interval_coverage_by_model: Floats


def predict_left_out_lineages(
    predictors: ArrayLike,
    values: ArrayLike,
    lineages: ArrayLike,
    *,
    confidence: float = 0.95,
) -> HeldOutPredictions:
    """Predictions of `values` by a line on `predictors` that is fitted without the model's lineage.

    Args:
        predictors: (n, q), without a constant, which is always added; q = 0 predicts the mean.
        values: (n, t) values of the models; or (G, n, t), where the values themselves depend on
            which lineage is left out, in the order of sorted `lineages`: the estimate of an ability
            must not have seen the lineage that it is predicted for.
        lineages: (n,) labels.
        confidence: coverage aimed at by the intervals.

    Raises:
        EstimationError: a number that is not finite, or lengths that differ.
    """
    x, y, groups = _checked(predictors, values, lineages)
    model_count, target_count = len(x), y.shape[2]
    group_count = len(np.unique(groups))
    # A change of unit, which no prediction depends on, for the sake of the digits of the inverse.
    design = np.column_stack([np.ones(model_count), _standardised(x)])
    own = y[groups, np.arange(model_count)] if len(y) > 1 else y[0]
    nothing = np.full((model_count, target_count), np.nan)
    products = _lineage_products(design, groups, group_count)
    without_one, is_solvable = _inverses(products.sum(axis=0) - products)
    if group_count < 3 or not is_solvable.all():
        return HeldOutPredictions(
            lineages=groups,
            values=own,
            predictions=nothing,
            intervals=Intervals(nothing, nothing),
            lineage_intervals=Intervals(nothing, nothing),
            r_squared=np.full(target_count, np.nan),
            squared_errors=np.full((group_count, target_count), np.nan),
            squared_errors_without=np.full((group_count, group_count, target_count), np.nan),
        )

    centre = y.mean(axis=1, keepdims=True)
    sums = _sums(products, design, y - centre, groups)
    every = np.arange(group_count)
    moments = sums.moments.sum(axis=1) - sums.moments[every, every]
    slopes = without_one @ moments
    own_centre = np.broadcast_to(centre, (group_count, 1, target_count))[groups, 0]
    predictions = own_centre + np.einsum("iq,iqt->it", design, slopes[groups])
    residual_squares = sums.squares.sum(axis=1) - sums.squares[every, every]
    residual_squares = np.maximum(residual_squares - (slopes * moments).sum(axis=1), 0.0)
    margins = _margins(design, groups, without_one, residual_squares, confidence)

    squared_errors = _group_means((own - predictions) ** 2, groups)
    errors_without = _errors_without_two(sums, np.bincount(groups))
    errors_without[every, every] = squared_errors
    lineage_margins = _lineage_margins(errors_without, confidence)[groups]
    return HeldOutPredictions(
        lineages=groups,
        values=own,
        predictions=predictions,
        intervals=Intervals(predictions - margins, predictions + margins),
        lineage_intervals=Intervals(predictions - lineage_margins, predictions + lineage_margins),
        r_squared=_r_squared(design, own),
        squared_errors=squared_errors,
        squared_errors_without=errors_without,
    )


def prediction_errors(
    predictions: HeldOutPredictions, mean: HeldOutPredictions, *, confidence: float = 0.95
) -> PredictionErrors:
    """Errors of `predictions`, and their skill against those of the `mean` on the same models.

    Raises:
        EstimationError: the two are not of the same models and values.
    """
    if not (
        np.array_equal(predictions.lineages, mean.lineages)
        and np.array_equal(predictions.values, mean.values)
    ):
        raise EstimationError("predictions can be compared on the same models and values only")
    groups = predictions.lineages
    errors = predictions.values - predictions.predictions
    mean_errors = mean.values - mean.predictions
    varies = _variance(predictions.values) > 0.0
    low, high = np.where(varies, _skill_interval(predictions, mean, confidence), np.nan)
    covered = [
        _covered(predictions.values, intervals)
        for intervals in (predictions.intervals, predictions.lineage_intervals)
    ]
    mean_square = predictions.squared_errors.mean(axis=0)
    return PredictionErrors(
        root_mean_square_error=np.sqrt(mean_square),
        mean_absolute_error=_group_means(np.abs(errors), groups).mean(axis=0),
        skill=np.where(varies, _skill(mean_square, mean.squared_errors.mean(axis=0)), np.nan),
        skill_low=low,
        skill_high=high,
        interval_coverage=_group_means(covered[0], groups).mean(axis=0),
        lineage_interval_coverage=_group_means(covered[1], groups).mean(axis=0),
        root_mean_square_error_by_model=np.sqrt((errors**2).mean(axis=0)),
        mean_absolute_error_by_model=np.abs(errors).mean(axis=0),
        skill_by_model=np.where(
            varies, _skill((errors**2).mean(axis=0), (mean_errors**2).mean(axis=0)), np.nan
        ),
        interval_coverage_by_model=covered[0].mean(axis=0),
        lineage_interval_coverage_by_model=covered[1].mean(axis=0),
    )


class _Sums(NamedTuple):
    """Sums over the models of each lineage, from which every fit is made."""

    products: Floats
    """(G, q, q), of predictors with predictors."""
    moments: Floats
    """(G, G, q, t), of predictors with the values without lineage (first), over lineage (second).
    """
    squares: Floats
    """(G, G, t), of the values."""


def _lineage_products(design: Floats, groups: Integers, group_count: int) -> Floats:
    members = _members(groups, group_count)
    products: Floats = np.einsum("li,iq,ir->lqr", members, design, design, optimize=True)
    return products


def _sums(products: Floats, design: Floats, y: Floats, groups: Integers) -> _Sums:
    group_count, target_count = len(products), y.shape[2]
    members = _members(groups, group_count)
    moments = np.einsum("liq,fit->flqt", members[:, :, None] * design, y, optimize=True)
    squares = np.einsum("li,fit->flt", members, y**2, optimize=True)
    # Values that do not depend on what is left out have been given, and are summed, once.
    return _Sums(
        products=products,
        moments=np.broadcast_to(moments, (group_count, *moments.shape[1:])),
        squares=np.broadcast_to(squares, (group_count, group_count, target_count)),
    )


def _members(groups: Integers, group_count: int) -> Floats:
    """(G, n), 1 where the model is of the lineage."""
    members: Floats = (groups == np.arange(group_count)[:, None]).astype(np.float64)
    return members


def _inverses(products: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """(..., q, q) inverses and (...) whether there is one; NaN where there is none."""
    diagonal = np.diagonal(products, axis1=-2, axis2=-1)
    # Hadamard's inequality: the determinant is at most the product of the diagonal.
    is_solvable = np.linalg.det(products) > SMALLEST_VOLUME * diagonal.prod(axis=-1)
    inverses: Floats = np.full_like(products, np.nan)
    inverses[is_solvable] = np.linalg.inv(products[is_solvable])
    return inverses, is_solvable


def _errors_without_two(sums: _Sums, counts: Integers) -> Floats:
    """(G, G, t) mean squared error of a lineage (first), itself and another (second) left out."""
    every = np.arange(len(sums.products))
    inverses, _ = _inverses(sums.products.sum(axis=0) - sums.products[:, None] - sums.products)
    own_moments = sums.moments[every, every]
    slopes = inverses @ ((sums.moments.sum(axis=1) - own_moments)[:, None] - sums.moments)
    # The sum of squared errors from sums, since a fit per model and pair would not fit in memory.
    fitted = sums.products[:, None] @ slopes
    squares = (slopes * (fitted - 2.0 * own_moments[:, None])).sum(axis=2)
    squares += sums.squares[every, every][:, None]
    means: Floats = np.maximum(squares, 0.0) / counts[:, None, None]
    return means


def _margins(
    design: Floats,
    groups: Integers,
    inverses: Floats,
    residual_squares: Floats,
    confidence: float,
) -> Floats:
    """(n, t) half widths of the prediction intervals."""
    free = len(groups) - np.bincount(groups) - design.shape[1]
    leverages = np.einsum("iq,iqr,ir->i", design, inverses[groups], design)
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = np.where(free > 0, 1.0 / free, np.nan)[:, None] * residual_squares
    quantiles = stdtrit(np.maximum(free, 1), (1.0 + confidence) / 2.0)
    margins: Floats = quantiles[groups, None] * np.sqrt(
        variances[groups] * (1.0 + leverages)[:, None]
    )
    return margins


def _lineage_margins(errors_without: Floats, confidence: float) -> Floats:
    """(G, t) half widths for the models of each lineage, from the errors of the others."""
    group_count = len(errors_without)
    others = ~np.eye(group_count, dtype=bool)
    # Of lineage h when g is left out as well, for every h other than g.
    mean_squares = np.where(others[:, :, None], errors_without, 0.0).sum(axis=0) / (group_count - 1)
    quantile = float(stdtrit(group_count - 2, (1.0 + confidence) / 2.0))
    margins: Floats = quantile * np.sqrt(mean_squares)
    return margins


def _skill_interval(
    predictions: HeldOutPredictions, mean: HeldOutPredictions, confidence: float
) -> tuple[Floats, Floats]:
    ratio = _ratio(predictions.squared_errors.sum(axis=0), mean.squared_errors.sum(axis=0))
    group_count = len(predictions.squared_errors)
    if group_count < 3:
        return np.full_like(ratio, np.nan), np.full_like(ratio, np.nan)
    others = ~np.eye(group_count, dtype=bool)[:, :, None]
    replicates = _ratio(
        np.where(others, predictions.squared_errors_without, 0.0).sum(axis=0),
        np.where(others, mean.squared_errors_without, 0.0).sum(axis=0),
    )
    jackknife = Jackknife(ratio, LOGARITHM)
    jackknife.add(replicates)
    uncertainty = jackknife.uncertainty(confidence)
    return 1.0 - uncertainty.high, 1.0 - uncertainty.low


def _ratio(squares: Floats, squares_of_mean: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(squares_of_mean > 0.0, squares / squares_of_mean, np.nan)


def _skill(squares: Floats, squares_of_mean: Floats) -> Floats:
    return 1.0 - _ratio(squares, squares_of_mean)


def _covered(values: Floats, intervals: Intervals) -> Floats:
    """(n, t) 1 in the interval, 0 outside of it, NaN where there is none."""
    inside = (intervals.low <= values) & (values <= intervals.high)
    return np.where(np.isnan(intervals.low), np.nan, inside.astype(np.float64))


def _group_means(values: Floats, groups: Integers) -> Floats:
    """(G, ...) means over the models of each lineage of (n, ...) `values`."""
    counts = np.bincount(groups)
    means: Floats = (_members(groups, len(counts)) / counts[:, None]) @ values
    return means


def _r_squared(design: Floats, values: Floats) -> Floats:
    centred = values - values.mean(axis=0)
    slopes, *_ = np.linalg.lstsq(design, centred, rcond=None)
    shares = _skill(((centred - design @ slopes) ** 2).mean(axis=0), _variance(values))
    # Rounding may carry the share of a constant below 0.
    return np.maximum(shares, 0.0)


def _variance(values: Floats) -> Floats:
    """(t,), 0 where the values differ by rounding only."""
    is_constant = np.ptp(values, axis=0) <= 1e-12 * np.abs(values).max(axis=0)
    return np.where(is_constant, 0.0, values.var(axis=0))


def _standardised(x: Floats) -> Floats:
    spread = x.std(axis=0)
    standardised: Floats = (x - x.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    return standardised


def _checked(
    predictors: ArrayLike, values: ArrayLike, lineages: ArrayLike
) -> tuple[Floats, Floats, Integers]:
    """Predictors (n, q), values (1 or G, n, t) and numbers of lineages (n,)."""
    x = np.asarray(predictors, dtype=np.float64)
    y = np.asarray(values, dtype=np.float64)
    names, groups = np.unique(np.asarray(lineages), return_inverse=True)
    if y.ndim == 2:
        y = y[None]
    if not (len(y) in (1, len(names)) and y.shape[1] == len(x) == len(groups)):
        raise EstimationError(
            f"predictors of {len(x)} models, values of shape {y.shape} and {len(groups)} labels of "
            f"{len(names)} lineages: each model needs one label, and its values once, or once for "
            "every lineage that may be left out"
        )
    for name, numbers in (("predictors", x[:, None]), ("values", y.swapaxes(0, 1))):
        wrong = np.flatnonzero(~np.isfinite(numbers).all(axis=(1, 2)))
        if len(wrong):
            raise EstimationError(f"model {int(wrong[0])}: its {name} must be finite numbers")
    return x, y, groups
