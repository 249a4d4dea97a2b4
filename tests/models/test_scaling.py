"""Scaling fits: least squares equal to statsmodels, and what holds for every method."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.api import OLS, add_constant

from models.estimation.cluster_robust import fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.errors import EstimationError
from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.random_intercepts import fit_lineage_random_intercepts
from models.estimation.scaling import ScalingFit, fit_ols
from tests.models.lineage_data import draw, share_covered


def test_least_squares_equals_statsmodels():
    x, y, lineage = draw(np.random.default_rng(0))
    y = y[:, 0]
    fit = fit_ols(x, y, lineage)
    witness = OLS(y, add_constant(x)).fit()
    low, high = witness.conf_int(0.05)[1]
    assert (fit.intercept, fit.slope) == pytest.approx(tuple(witness.params), rel=1e-9)
    assert fit.slope_standard_error == pytest.approx(witness.bse[1], rel=1e-9)
    assert (fit.slope_ci_low, fit.slope_ci_high) == pytest.approx((low, high), rel=1e-9)
    assert fit.p_value == pytest.approx(witness.pvalues[1], rel=1e-6)
    assert fit.r_squared == pytest.approx(witness.rsquared, rel=1e-9)
    assert fit.pearson == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-9)
    assert fit.residual_standard_deviation == pytest.approx(np.sqrt(witness.mse_resid), rel=1e-9)
    assert (fit.model_count, fit.lineage_count) == (20, 7)


def test_the_band_of_the_curve_equals_statsmodels():
    x, y, lineage = draw(np.random.default_rng(1))
    y = y[:, 0]
    fit = fit_ols(x, y, lineage)
    at = np.array([21.0, 22.5])
    witness = OLS(y, add_constant(x)).fit().get_prediction(add_constant(at)).conf_int(alpha=0.05)
    # As in fct_scaling_curves.
    half_width = (
        fit.t_quantile
        * fit.residual_standard_deviation
        * np.sqrt(1 / fit.model_count + (at - fit.x_mean) ** 2 / fit.x_sum_of_squares)
    )
    np.testing.assert_allclose(fit.intercept + fit.slope * at - half_width, witness[:, 0])


def test_coverage_of_least_squares_with_and_without_shared_errors():
    # Exact for independent models: 20,000 intervals tell 95% from those a tenth too narrow or wide.
    fit = fit_ols(*draw(np.random.default_rng(2), count=20_000))
    lowest, highest = stats.binom.ppf([1e-4, 1 - 1e-4], 20_000, 0.95) / 20_000
    assert lowest <= share_covered(fit.slope_ci_low, fit.slope_ci_high, 0.5) <= highest
    # Siblings that share their error: it promises too much.
    fit = fit_ols(*draw(np.random.default_rng(2), count=2_000, shared=0.8))
    assert share_covered(fit.slope_ci_low, fit.slope_ci_high, 0.5) < 0.85


def test_slopes_are_unbiased():
    slopes = fit_ols(*draw(np.random.default_rng(3), count=2_000, shared=0.5)).slope
    assert slopes.mean() == pytest.approx(0.5, abs=3 * slopes.std() / np.sqrt(2_000))


METHODS = (
    fit_ols,
    fit_lineage_jackknife,
    fit_lineage_cr2,
    fit_lineage_fixed_effects,
    fit_lineage_random_intercepts,
)
every_method = pytest.mark.parametrize("method", METHODS)
UNIT_FREE = (
    "pearson",
    "r_squared",
    "p_value",
    "t_quantile",
    "degrees_of_freedom",
    "effective_lineage_count",
    "largest_lineage_leverage",
    "intra_lineage_correlation",
    "is_floored",
)


def estimates(fit, names=ScalingFit.__slots__[1:]) -> dict[str, object]:
    return {name: getattr(fit, name) for name in names}


def assert_same(one: dict[str, object], other: dict[str, object], tolerance: float = 1e-9) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=tolerance, atol=tolerance, err_msg=name)


@every_method
@pytest.mark.parametrize("x", [[21.0, 22.0], [21.0, 21.0, 21.0], [21.1] * 7, []])
def test_a_line_that_cannot_be_fitted_is_null(method, x):
    fit = method(x, np.arange(len(x)), ["a", "b", "c", "a", "b", "c", "c"][: len(x)])
    assert np.isnan([fit.slope, fit.slope_ci_low, fit.effective_lineage_count]).all()
    assert not fit.is_floored
    assert fit.model_count in (0, len(x))


@every_method
def test_many_values_are_fitted_as_each_alone(method):
    x, y, lineage = draw(np.random.default_rng(4), count=6, shared=0.5)
    y[:, 2] = 0.25
    together = method(x, y, lineage)
    assert together.slope.shape == (6,)
    for column in range(6):
        alone = method(x, y[:, column], lineage)
        found = {
            name: value
            if name.endswith("_count") and name != "effective_lineage_count"
            else value[column]
            for name, value in estimates(together).items()
        }
        assert_same(found, estimates(alone))


@every_method
def test_the_order_and_the_names_of_models_and_lineages_are_nothing(method):
    x, y, lineage = draw(np.random.default_rng(5), count=4, shared=0.5)
    names = np.array(["Llama 2", "a", "LLM-jp", "Qwen", "é", "PLaMo", "Z"])[lineage]
    order = np.random.default_rng(0).permutation(len(x))
    assert_same(
        estimates(method(x, y, lineage)), estimates(method(x[order], y[order], names[order]))
    )


@every_method
def test_units_carry_over(method):
    x, y, lineage = draw(np.random.default_rng(6), count=4, shared=0.5)
    fit, other = method(x, y, lineage), method(2 * x - 30, 7 - 100 * y, lineage)
    assert_same(
        estimates(fit, UNIT_FREE), estimates(other, UNIT_FREE) | {"pearson": -other.pearson}, 1e-7
    )
    np.testing.assert_allclose(other.slope, -50 * fit.slope, rtol=1e-8)
    np.testing.assert_allclose(other.slope_ci_low, -50 * fit.slope_ci_high, rtol=1e-8)
    np.testing.assert_allclose(other.slope_standard_error, 50 * fit.slope_standard_error)
    np.testing.assert_allclose(
        other.residual_standard_deviation, 100 * fit.residual_standard_deviation, rtol=1e-8
    )
    np.testing.assert_allclose(
        other.intercept + other.slope * 14, 7 - 100 * (fit.intercept + fit.slope * 22), rtol=1e-8
    )


@every_method
def test_an_interval_of_another_confidence_has_another_quantile(method):
    data = draw(np.random.default_rng(7))
    fit, wide = method(*data), method(*data, confidence=0.99)
    assert wide.slope_standard_error == fit.slope_standard_error
    for one, level in ((fit, 0.975), (wide, 0.995)):
        quantile = stats.t.ppf(level, one.degrees_of_freedom)
        np.testing.assert_allclose(one.t_quantile, quantile, rtol=1e-6)
        np.testing.assert_allclose(
            one.slope_ci_high - one.slope, quantile * one.slope_standard_error, rtol=1e-6
        )


@every_method
def test_values_that_do_not_vary_have_a_flat_line_and_no_correlation(method):
    x, _, lineage = draw(np.random.default_rng(8))
    fit = method(x, np.full(len(x), 0.7), lineage)
    assert (fit.slope, fit.intercept, fit.slope_standard_error) == pytest.approx((0.0, 0.7, 0.0))
    nothing = [fit.pearson, fit.r_squared, fit.p_value, fit.intra_lineage_correlation]
    assert np.isnan(nothing).all()


@every_method
def test_bad_numbers_are_named(method):
    with pytest.raises(EstimationError, match="model 1: log10 compute inf"):
        method([20, np.inf, 22], [1, 2, 3], ["a", "b", "c"])
    with pytest.raises(EstimationError, match="2 compute budgets, 3 values"):
        method([20, 21], [1, 2, 3], ["a", "b", "c"])
