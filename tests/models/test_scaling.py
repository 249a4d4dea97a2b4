"""Scaling fits: equal to statsmodels, and honest when models share a lineage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.api import OLS, add_constant

from models.estimation.errors import EstimationError
from models.estimation.scaling import fit_lineage_jackknife, fit_ols


def draw(generator, lineages: int = 12, models: int = 4, shared: float = 0.0, slope: float = 0.5):
    lineage = np.repeat(np.arange(lineages), models)
    # Siblings have similar compute and share a part of their error.
    x = 22 + np.repeat(generator.normal(0, 1, lineages), models)
    x += generator.normal(0, 0.4, lineages * models)
    noise = np.sqrt(shared) * np.repeat(generator.standard_normal(lineages), models)
    noise += np.sqrt(1 - shared) * generator.standard_normal(lineages * models)
    return x, slope * x + noise, lineage


def test_least_squares_equals_statsmodels():
    x, y, lineage = draw(np.random.default_rng(0))
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
    assert (fit.model_count, fit.lineage_count) == (48, 12)


def test_the_band_of_the_curve_equals_statsmodels():
    x, y, lineage = draw(np.random.default_rng(1))
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


def test_the_lineage_jackknife_equals_refits_by_hand():
    x, y, lineage = draw(np.random.default_rng(2), shared=0.5)
    fit = fit_lineage_jackknife(x, y, lineage)
    slopes = np.array(
        [
            OLS(y[lineage != name], add_constant(x[lineage != name])).fit().params[1]
            for name in np.unique(lineage)
        ]
    )
    error = np.sqrt(11 / 12 * ((slopes - slopes.mean()) ** 2).sum())
    assert fit.slope == pytest.approx(fit_ols(x, y, lineage).slope)
    assert fit.slope_standard_error == pytest.approx(error, rel=1e-9)
    assert fit.slope_ci_high == pytest.approx(fit.slope + stats.t.ppf(0.975, 11) * error, rel=1e-9)
    assert fit.p_value == pytest.approx(2 * stats.t.sf(fit.slope / error, 11), rel=1e-6)


def test_coverage_of_both_intervals_with_and_without_shared_errors():
    generator = np.random.default_rng(20241219)
    repetitions = 600
    covered = {}
    for shared in (0.0, 0.8):
        hits = []
        for _ in range(repetitions):
            data = draw(generator, shared=shared)
            hits.append(
                [
                    fit.slope_ci_low <= 0.5 <= fit.slope_ci_high
                    for fit in (fit_ols(*data), fit_lineage_jackknife(*data))
                ]
            )
        covered[shared] = np.mean(hits, axis=0)
    lowest, highest = stats.binom.ppf([0.001, 0.999], repetitions, 0.95) / repetitions
    # Independent models: least squares is exact, the jackknife somewhat too wide.
    assert lowest <= covered[0.0][0] <= highest
    assert covered[0.0][1] >= lowest
    # Siblings that share their error: least squares promises too much, the jackknife does not.
    assert covered[0.8][0] < 0.85
    assert covered[0.8][1] >= lowest - 0.02


def test_slopes_are_unbiased():
    generator = np.random.default_rng(3)
    slopes = [fit_ols(*draw(generator, shared=0.5)).slope for _ in range(500)]
    assert np.mean(slopes) == pytest.approx(0.5, abs=3 * np.std(slopes) / np.sqrt(500))


@pytest.mark.parametrize("x", [[21.0, 22.0], [21.0, 21.0, 21.0], []])
def test_a_line_that_cannot_be_fitted_is_null(x):
    for fit in (fit_ols(x, x, ["a"] * len(x)), fit_lineage_jackknife(x, x, ["a"] * len(x))):
        assert np.isnan(fit.slope)
        assert np.isnan(fit.slope_ci_low)
        assert fit.model_count == len(x)


def test_lineages_that_cannot_be_left_out_give_no_interval():
    few = fit_lineage_jackknife([20, 21, 22, 23], [1, 2, 3, 5], ["a", "a", "b", "b"])
    assert few.slope == pytest.approx(1.3)
    assert np.isnan(few.slope_ci_low)
    # Without lineage c all compute is equal.
    stuck = fit_lineage_jackknife([20, 20, 20, 20, 23], [1, 2, 3, 4, 5], ["a", "a", "b", "b", "c"])
    assert stuck.slope == pytest.approx(2.5 / 3)
    assert np.isnan(stuck.slope_standard_error)


def test_values_that_do_not_vary_have_a_flat_line_and_no_correlation():
    fit = fit_ols([20, 21, 22], [0.0, 0.0, 0.0], ["a", "b", "c"])
    assert (fit.slope, fit.intercept) == (0.0, 0.0)
    assert np.isnan(fit.pearson)
    assert np.isnan(fit.p_value)


def test_bad_numbers_are_named():
    with pytest.raises(EstimationError, match="model 1: log10 compute inf"):
        fit_ols([20, np.inf, 22], [1, 2, 3], ["a", "b", "c"])
    with pytest.raises(EstimationError, match="2 compute budgets, 3 values"):
        fit_ols([20, 21], [1, 2, 3], ["a", "b", "c"])
