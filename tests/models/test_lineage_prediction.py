"""Lineage predictions: equal to scikit-learn and statsmodels, and with skill only where it is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from statsmodels.api import OLS, add_constant

from models.estimation.errors import EstimationError
from models.estimation.lineage_prediction import predict_left_out_lineages, prediction_errors

SIZES = (11, 5, 5, 3, 2, 2, 2, 1, 1, 1, 1, 1)
"""Models per lineage, as uneven as those of the study."""


def draw(generator, slope: float, shared: float, sizes=SIZES, targets: int = 1):
    """Compute that siblings nearly share, and values of which they share a part of the noise."""
    lineages = np.repeat(np.arange(len(sizes)), sizes)
    compute = 22 + generator.normal(0, 1, len(sizes))[lineages]
    compute += generator.normal(0, 0.4, len(lineages))
    noise = np.sqrt(shared) * generator.standard_normal((len(sizes), targets))[lineages]
    noise += np.sqrt(1 - shared) * generator.standard_normal((len(lineages), targets))
    return compute[:, None], slope * compute[:, None] + noise, lineages


def errors_of(predictors, values, lineages):
    predictions = predict_left_out_lineages(predictors, values, lineages)
    mean = predict_left_out_lineages(predictors[:, :0], values, lineages)
    return predictions, prediction_errors(predictions, mean)


@pytest.mark.parametrize("predictor_count", [0, 1, 2])
def test_predictions_equal_cross_validation_by_scikit_learn(predictor_count):
    generator = np.random.default_rng(0)
    predictors = generator.normal(20, 2, (35, predictor_count))
    lineages = np.repeat([f"lineage {i}" for i in range(len(SIZES))], SIZES)
    values = generator.normal(size=(35, 3)) + predictors.sum(axis=1, keepdims=True)
    found = predict_left_out_lineages(predictors, values, lineages)
    # scikit-learn wants a column; a constant is the intercept once more.
    columns = predictors if predictor_count else np.ones((35, 1))
    witness = cross_val_predict(
        LinearRegression(), columns, values, groups=lineages, cv=LeaveOneGroupOut()
    )
    np.testing.assert_allclose(found.predictions, witness, rtol=1e-9)
    fit = LinearRegression().fit(columns, values[:, 0])
    assert found.r_squared[0] == pytest.approx(fit.score(columns, values[:, 0]), abs=1e-12)


def test_prediction_intervals_equal_statsmodels():
    x, y, lineages = draw(np.random.default_rng(1), slope=0.5, shared=0.5)
    found = predict_left_out_lineages(x, y, lineages)
    for lineage in (0, 3, 11):
        out = lineages == lineage
        witness = (
            OLS(y[~out, 0], add_constant(x[~out]))
            .fit()
            .get_prediction(add_constant(x[out], has_constant="add"))
            .summary_frame(alpha=0.05)
        )
        np.testing.assert_allclose(found.intervals.low[out, 0], witness["obs_ci_lower"], rtol=1e-9)
        np.testing.assert_allclose(found.intervals.high[out, 0], witness["obs_ci_upper"], rtol=1e-9)


def test_errors_and_intervals_over_lineages_equal_refits_by_hand():
    x, y, lineages = draw(np.random.default_rng(2), slope=0.5, shared=0.5, sizes=(4, 3, 2, 2, 1))
    found, errors = errors_of(x, y, lineages)

    def squared_errors(columns, kept):
        """By lineage, each predicted by the others of `kept`."""
        models = np.isin(lineages, kept)
        predicted = cross_val_predict(
            LinearRegression(),
            *(columns[models], y[models, 0]),
            groups=lineages[models],
            cv=LeaveOneGroupOut(),
        )
        squares = (y[models, 0] - predicted) ** 2
        return np.array([squares[lineages[models] == lineage].mean() for lineage in kept])

    ones = np.ones_like(x)
    every = np.arange(5)
    assert errors.root_mean_square_error[0] == pytest.approx(
        np.sqrt(squared_errors(x, every).mean())
    )
    skill = 1 - squared_errors(x, every).mean() / squared_errors(ones, every).mean()
    assert errors.skill[0] == pytest.approx(skill)
    logarithms = np.array(
        [
            np.log(squared_errors(x, rest).mean() / squared_errors(ones, rest).mean())
            for rest in (np.delete(every, out) for out in every)
        ]
    )
    error = np.sqrt(4 / 5 * ((logarithms - logarithms.mean()) ** 2).sum())
    bounds = 1 - (1 - skill) * np.exp(stats.t.ppf([0.975, 0.025], 4) * error)
    assert (errors.skill_low[0], errors.skill_high[0]) == pytest.approx(tuple(bounds))

    # The interval of a lineage comes from the errors of the others among themselves.
    others = squared_errors(x, every[1:])
    half_width = stats.t.ppf(0.975, 3) * np.sqrt(others.mean())
    first = lineages == 0
    np.testing.assert_allclose(
        found.lineage_intervals.high[first, 0], found.predictions[first, 0] + half_width
    )


def test_a_lineage_counts_once_and_a_model_counts_once():
    # Lineage a is far off; the mean of the others predicts it badly, twice.
    values = np.array([[8.0], [10.0], [1.0], [2.0]])
    lineages = ["a", "a", "b", "c"]
    _, errors = errors_of(np.zeros((4, 0)), values, lineages)
    # Means of the others: a 1.5; b 20/3; c 19/3. Errors 6.5, 8.5; -17/3; -13/3.
    squares = np.array([6.5**2, 8.5**2, (17 / 3) ** 2, (13 / 3) ** 2])
    assert errors.root_mean_square_error_by_model[0] == pytest.approx(np.sqrt(squares.mean()))
    assert errors.root_mean_square_error[0] == pytest.approx(
        np.sqrt((squares[:2].mean() + squares[2] + squares[3]) / 3)
    )
    assert errors.mean_absolute_error[0] == pytest.approx((7.5 + 17 / 3 + 13 / 3) / 3)
    assert errors.mean_absolute_error_by_model[0] == pytest.approx((15 + 10) / 4)
    assert errors.skill[0] == errors.skill_by_model[0] == 0.0


def test_values_may_depend_on_what_is_left_out():
    x, y, lineages = draw(np.random.default_rng(3), slope=0.5, shared=0.5, targets=2)
    scales = np.linspace(1, 2, len(SIZES))
    replicates = scales[:, None, None] * y
    found = predict_left_out_lineages(x, replicates, lineages)
    plain = predict_left_out_lineages(x, y, lineages)
    of_model = scales[lineages][:, None]
    np.testing.assert_allclose(found.values, of_model * y)
    np.testing.assert_allclose(found.predictions, of_model * plain.predictions)
    squared = scales[:, None, None] ** 2 * plain.squared_errors_without
    np.testing.assert_allclose(found.squared_errors_without, squared, rtol=1e-9)


def test_the_order_of_models_changes_nothing():
    x, y, lineages = draw(np.random.default_rng(4), slope=0.5, shared=0.5)
    shuffled = np.random.default_rng(5).permutation(len(x))
    _, errors = errors_of(x, y, lineages)
    _, other = errors_of(x[shuffled], y[shuffled], lineages[shuffled])
    assert errors.skill_low == pytest.approx(other.skill_low, rel=1e-12)
    assert errors.skill == pytest.approx(other.skill, rel=1e-12)


def test_skill_is_found_where_compute_decides_and_only_there():
    generator = np.random.default_rng(20241219)
    decided, noise, lineage_only = [], [], []
    for _ in range(100):
        decided.append(errors_of(*draw(generator, slope=3.0, shared=0.5))[1])
        noise.append(errors_of(*draw(generator, slope=0.0, shared=0.0))[1])
        lineage_only.append(errors_of(*draw(generator, slope=0.0, shared=1.0, sizes=(6,) * 6)))
    assert np.mean([errors.skill for errors in decided]) > 0.8
    assert np.mean([errors.skill_low > 0 for errors in decided]) > 0.9
    assert np.mean([errors.skill for errors in noise]) < 0
    # Within the sample compute tells the lineages apart; of a new one it says nothing.
    assert np.mean([found.r_squared for found, _ in lineage_only]) > 0.15
    assert np.mean([errors.skill for _, errors in lineage_only]) < -0.1
    assert np.mean([errors.skill_low > 0 for _, errors in lineage_only]) < 0.05


def test_intervals_over_lineages_cover_new_lineages_and_those_over_models_do_not():
    generator = np.random.default_rng(7)
    coverages = {0.0: [], 0.8: []}
    for shared, found in coverages.items():
        for _ in range(150):
            errors = errors_of(*draw(generator, slope=1.0, shared=shared))[1]
            found.append((errors.interval_coverage[0], errors.lineage_interval_coverage[0]))
    models, lineages = np.mean(coverages[0.0], axis=0)
    assert models == pytest.approx(0.95, abs=0.015)
    assert lineages == pytest.approx(0.95, abs=0.02)
    models, lineages = np.mean(coverages[0.8], axis=0)
    assert models < 0.925
    assert lineages == pytest.approx(0.945, abs=0.02)


def test_the_interval_of_the_skill_covers_it():
    generator = np.random.default_rng(11)
    repetitions = 150
    for slope, shared in ((0.0, 0.5), (1.0, 0.5), (2.0, 0.8)):
        squares, bounds = [], []
        for _ in range(repetitions):
            x, y, lineages = draw(generator, slope=slope, shared=shared)
            found, errors = errors_of(x, y, lineages)
            mean = predict_left_out_lineages(x[:, :0], y, lineages)
            squares.append((found.squared_errors.sum(), mean.squared_errors.sum()))
            bounds.append((errors.skill_low[0], errors.skill_high[0]))
        # What the cross-validation comes to on average over worlds.
        skill = 1 - np.divide(*np.mean(squares, axis=0))
        low, high = np.transpose(bounds)
        assert np.mean((low <= skill) & (skill <= high)) >= 0.9
        # A gain that is not there is seldom claimed: 2.5% of the time, or less.
        highest = stats.binom.ppf(0.999, repetitions, 0.025) / repetitions
        assert np.mean(low > skill) <= highest


@pytest.mark.parametrize(
    ("x", "lineages"),
    [
        ([1.0, 2.0, 3.0, 4.0], ["a", "a", "b", "b"]),  # two lineages
        ([1.0, 1.0, 1.0, 5.0], ["a", "b", "c", "d"]),  # without d all are equal
    ],
)
def test_what_cannot_be_predicted_is_null(x, lineages):
    values = np.arange(float(len(x)))[:, None] ** 2
    found, errors = errors_of(np.array(x)[:, None], values, lineages)
    assert np.isnan(found.predictions).all()
    for figure in (errors.root_mean_square_error, errors.skill, errors.interval_coverage):
        assert np.isnan(figure).all()


def test_three_models_of_three_lineages_have_no_interval_of_a_line():
    found, errors = errors_of(np.array([[1.0], [2.0], [4.0]]), np.eye(3)[:, :1], ["a", "b", "c"])
    # A line through two points leaves no residual, and one point no line.
    assert np.isfinite(errors.root_mean_square_error).all()
    for bound in (found.intervals.low, found.lineage_intervals.low, errors.skill_low):
        assert np.isnan(bound).all()
    assert np.isnan(errors.interval_coverage).all()


def test_values_that_do_not_vary_have_no_skill_and_no_share_explained():
    x, _, lineages = draw(np.random.default_rng(8), slope=0, shared=0)
    found, errors = errors_of(x, np.full_like(x, 0.3), lineages)
    assert errors.root_mean_square_error == pytest.approx(0, abs=1e-15)
    for figure in (errors.skill, errors.skill_low, errors.skill_by_model, found.r_squared):
        assert np.isnan(figure).all()


def test_bad_numbers_are_named():
    with pytest.raises(EstimationError, match="model 1: its predictors"):
        predict_left_out_lineages([[1.0], [np.inf]], [[1.0], [2.0]], ["a", "b"])
    with pytest.raises(EstimationError, match="model 0: its values"):
        predict_left_out_lineages([[1.0], [2.0]], [[np.nan], [2.0]], ["a", "b"])
    with pytest.raises(EstimationError, match="of 2 models, values of shape"):
        predict_left_out_lineages([[1.0], [2.0]], [[2.0]], ["a", "b"])
    mean = predict_left_out_lineages(np.zeros((3, 0)), np.eye(3), ["a", "b", "c"])
    other = predict_left_out_lineages(np.zeros((3, 0)), 2 * np.eye(3), ["a", "b", "c"])
    with pytest.raises(EstimationError, match="same models and values"):
        prediction_errors(mean, other)
