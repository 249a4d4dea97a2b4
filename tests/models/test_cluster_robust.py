"""Cluster-robust errors of slopes: equal to full matrices, refits and published figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.api import OLS, add_constant

from models.estimation.cluster_robust import Replicates, fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.errors import EstimationError
from models.estimation.scaling import fit_ols
from tests.models.lineage_data import SIZES, design_of, draw, sandwich, share_covered


def slopes_without_one(x, y, lineage) -> np.ndarray:
    return np.array(
        [
            np.polyfit(x[lineage != name] - 22, y[lineage != name], 1)[0]
            for name in np.unique(lineage)
        ]
    )


def test_the_textbook_itself_equals_statsmodels():
    x, y, lineage = draw(np.random.default_rng(0), shared=0.5)
    witness = OLS(y[:, 0], add_constant(x)).fit(
        cov_type="cluster", cov_kwds={"groups": lineage, "use_correction": False}
    )
    error = sandwich(design_of(x), y[:, 0], lineage, power=0.0).standard_error
    assert error == pytest.approx(witness.bse[1], rel=1e-9)


def test_the_jackknife_equals_refits_by_hand():
    x, y, lineage = draw(np.random.default_rng(1), shared=0.9)
    fit = fit_lineage_jackknife(x, y[:, 0], lineage)
    slope = OLS(y[:, 0], add_constant(x)).fit().params[1]
    squares = (slopes_without_one(x, y[:, 0], lineage) - slope) ** 2
    error = np.sqrt(6 / 7 * squares.sum())
    assert not fit.is_floored
    assert fit.slope == pytest.approx(slope, rel=1e-9)
    assert fit.slope_standard_error == pytest.approx(error, rel=1e-9)
    assert fit.degrees_of_freedom == 6
    assert fit.slope_ci_low == pytest.approx(slope - stats.t.ppf(0.975, 6) * error, rel=1e-9)
    assert fit.slope_ci_high == pytest.approx(slope + stats.t.ppf(0.975, 6) * error, rel=1e-9)
    assert fit.p_value == pytest.approx(2 * stats.t.sf(abs(slope) / error, 6), rel=1e-6)


def test_the_jackknife_is_the_third_sandwich():
    x, y, lineage = draw(np.random.default_rng(2), shared=0.9)
    third = sandwich(design_of(x), y[:, 0], lineage, power=-1.0).standard_error
    fit = fit_lineage_jackknife(x, y[:, 0], lineage)
    assert fit.slope_standard_error == pytest.approx(np.sqrt(6 / 7) * third, rel=1e-9)


def test_an_error_below_that_of_independent_models_is_not_believed():
    x, y, lineage = draw(np.random.default_rng(3), count=300)
    plain, fit = fit_ols(x, y, lineage), fit_lineage_jackknife(x, y, lineage)
    squares = (slopes_without_one(x, y, lineage) - plain.slope) ** 2
    own = np.sqrt(6 / 7 * squares.sum(axis=0))
    assert 0 < fit.is_floored.sum() < 300
    np.testing.assert_array_equal(fit.is_floored, own < plain.slope_standard_error)
    np.testing.assert_allclose(
        fit.slope_standard_error, np.maximum(own, plain.slope_standard_error)
    )
    np.testing.assert_allclose(
        fit.slope_ci_high - fit.slope, stats.t.ppf(0.975, 6) * fit.slope_standard_error
    )


def test_replicates_are_fitted_without_their_lineage():
    generator = np.random.default_rng(4)
    x, y, lineage = draw(generator, shared=0.9)
    values = np.repeat(y[None, :, 0], 8, axis=0) + generator.normal(0, 0.3, (8, len(x)))
    # Lineage 9 has no model in the fit: without it only the values of the others move.
    left_out = np.array([9, 3, 0, 1, 2, 4, 5, 6])
    slopes = np.array(
        [
            stats.linregress(x[lineage != name], row[lineage != name]).slope
            for name, row in zip(left_out, values, strict=True)
        ]
    )
    slope = stats.linregress(x, y[:, 0]).slope
    # What a model left out would have had is not read.
    values[lineage == left_out[:, None]] = np.nan
    fit = fit_lineage_jackknife(x, y[:, 0], lineage, replicates=Replicates(left_out, values))
    error = np.sqrt(6 / 7 * ((slopes - slope) ** 2).sum())
    assert fit.slope_standard_error == pytest.approx(error, rel=1e-9)
    assert fit.degrees_of_freedom == 6


def test_replicates_that_are_the_values_change_nothing():
    x, y, lineage = draw(np.random.default_rng(5), count=3, shared=0.9)
    same = Replicates(np.unique(lineage), np.broadcast_to(y, (7, *y.shape)))
    given = fit_lineage_jackknife(x, y, lineage)
    fit = fit_lineage_jackknife(x, y, lineage, replicates=same)
    np.testing.assert_allclose(fit.slope_standard_error, given.slope_standard_error, rtol=1e-12)


def test_a_lineage_without_a_replicate_leaves_no_error():
    x, y, lineage = draw(np.random.default_rng(6))
    few = Replicates(np.arange(6), np.broadcast_to(y[:, 0], (6, len(x))))
    fit = fit_lineage_jackknife(x, y[:, 0], lineage, replicates=few)
    assert fit.slope == fit_ols(x, y[:, 0], lineage).slope
    assert np.isnan([fit.slope_standard_error, fit.slope_ci_low, fit.p_value]).all()


def test_replicates_of_other_models_are_refused():
    x, y, lineage = draw(np.random.default_rng(6))
    with pytest.raises(EstimationError, match=r"shape \(7, 3\).*7 lineages left out, 20 models"):
        fit_lineage_jackknife(
            x, y[:, 0], lineage, replicates=Replicates(np.arange(7), np.zeros((7, 3)))
        )


def test_cr2_equals_full_matrices():
    for seed in range(5):
        x, y, lineage = draw(np.random.default_rng(seed), shared=0.5)
        fit = fit_lineage_cr2(x, y[:, 0], lineage)
        error, degrees = sandwich(design_of(x), y[:, 0], lineage)
        assert fit.slope_standard_error == pytest.approx(error, rel=1e-9)
        assert fit.degrees_of_freedom == pytest.approx(degrees, rel=1e-9)
        margin = stats.t.ppf(0.975, degrees) * error
        assert fit.slope_ci_low == pytest.approx(fit.slope - margin, rel=1e-9)
        assert fit.slope_ci_high == pytest.approx(fit.slope + margin, rel=1e-9)
        assert fit.p_value == pytest.approx(2 * stats.t.sf(abs(fit.slope) / error, degrees))


def test_cr2_of_lineages_of_one_model_is_hc2():
    x, y, _ = draw(np.random.default_rng(7))
    witness = OLS(y[:, 0], add_constant(x)).fit()
    fit = fit_lineage_cr2(x, y[:, 0], np.arange(len(x)))
    assert fit.slope_standard_error == pytest.approx(witness.HC2_se[1], rel=1e-9)


def test_cr2_has_the_figures_that_stata_prints():
    # The data and Stata's `vce(hc2)` are in the tests of the R package dfadjust (Kolesar), file
    # tests/testthat/test_clustervar.R: 20 clusters of one observation.
    x = np.concatenate([np.sin(np.arange(1, 11)), np.sin(np.arange(2, 12))])
    y = np.concatenate([np.cos(np.arange(10)), np.tan(np.arange(1, 11))])
    fit = fit_lineage_cr2(x, y, np.arange(20))
    assert fit.slope == pytest.approx(0.3241183110, abs=1e-10)
    assert fit.intercept == pytest.approx(-0.4456202905, abs=1e-10)
    assert fit.slope_standard_error == pytest.approx(0.4421048122, abs=1e-10)


def test_cr2_is_unbiased_for_independent_models():
    x, y, lineage = draw(np.random.default_rng(8), count=20_000)
    variances = fit_lineage_cr2(x, y, lineage).slope_standard_error ** 2
    truth = 1 / ((x - x.mean()) ** 2).sum()
    assert variances.mean() == pytest.approx(
        truth, abs=4 * variances.std() / np.sqrt(len(variances))
    )


def equal_lineages(generator, count: int, *, slopes: float = 0.0):
    """Lineages of equal compute, with levels and slopes of their own."""
    lineage = np.repeat(np.arange(5), 4)
    x = np.tile([20.1, 21.3, 22.7, 24.2], 5)
    own = generator.normal(0, 1, (5, count))[lineage]
    tilt = slopes * generator.normal(0, 1, (5, count))[lineage]
    y = own + (0.5 + tilt) * (x[:, None] - 22) + generator.normal(0, 1, (20, count))
    return x, y, lineage


def test_equal_lineages_are_a_t_test_of_their_slopes():
    x, y, lineage = equal_lineages(np.random.default_rng(9), 1, slopes=1.0)
    slopes = [stats.linregress(x[:4], y[lineage == name, 0]).slope for name in range(5)]
    witness = stats.ttest_1samp(slopes, 0)
    low, high = witness.confidence_interval(0.95)
    for method in (fit_lineage_cr2, fit_lineage_jackknife):
        fit = method(x, y[:, 0], lineage)
        assert fit.slope == pytest.approx(np.mean(slopes))
        assert fit.slope_standard_error == pytest.approx(stats.sem(slopes))
        assert fit.degrees_of_freedom == pytest.approx(4)
        assert (fit.slope_ci_low, fit.slope_ci_high) == pytest.approx((low, high))
        assert fit.p_value == pytest.approx(witness.pvalue)
        assert fit.largest_lineage_leverage == pytest.approx(0.2)
        # What a lineage has in common does not move the slope at all.
        assert np.isnan(fit.effective_lineage_count)


def test_coverage_is_exact_for_equal_lineages_of_different_slopes():
    # 20,000 intervals tell 95% from the 93.2% of one a tenth too narrow or 96.3% too wide.
    data = equal_lineages(np.random.default_rng(10), 20_000, slopes=2.0)
    fit = fit_lineage_cr2(*data)
    lowest, highest = stats.binom.ppf([1e-4, 1 - 1e-4], 20_000, 0.95) / 20_000
    assert lowest <= share_covered(fit.slope_ci_low, fit.slope_ci_high, 0.5) <= highest
    # The jackknife is the same interval, but where the floor holds.
    jackknife = fit_lineage_jackknife(*data)
    own = ~jackknife.is_floored
    assert own.mean() > 0.5
    np.testing.assert_allclose(jackknife.slope_ci_low[own], fit.slope_ci_low[own], rtol=1e-6)
    np.testing.assert_allclose(jackknife.slope_ci_high[own], fit.slope_ci_high[own], rtol=1e-6)


@pytest.mark.parametrize("shared", [0.0, 0.5, 0.8])
def test_coverage_at_unequal_lineages(shared):
    sizes = (11, 7, 6, 5, 4, 3, 3, 3, 2, 2, 1, 1, 1, 1, 1)
    data = draw(np.random.default_rng(11), sizes, shared=shared, count=4_000)
    plain, *fits = (method(*data) for method in (fit_ols, fit_lineage_jackknife, fit_lineage_cr2))
    assert plain.effective_lineage_count[0] > 3
    for fit in fits:
        assert 0.93 <= share_covered(fit.slope_ci_low, fit.slope_ci_high, 0.5) <= 0.975
    if shared:
        assert share_covered(plain.slope_ci_low, plain.slope_ci_high, 0.5) < 0.9


def test_lineages_that_decide_alone_count_as_few():
    # Deviations of compute from their mean of 1: 2 and -1 in lineage a, -1 in b and 0 in c.
    fit = fit_lineage_cr2([3, 0, 0, 1], [1, 2, 4, 3], ["a", "a", "b", "c"])
    # Sums 1, -1 and 0: two lineages that weigh the same.
    assert fit.effective_lineage_count == pytest.approx(2)
    assert fit.largest_lineage_leverage == pytest.approx(5 / 6)


def test_the_effective_number_is_that_of_its_definition():
    x, y, lineage = draw(np.random.default_rng(12))
    design = design_of(x)
    contrast = np.linalg.inv(design.T @ design)[:, -1]
    # Carter, Schnepel and Steigerwald 2017: errors of a lineage are all the same.
    parts = np.array(
        [
            contrast
            @ design[lineage == name].T
            @ np.ones((size, size))
            @ design[lineage == name]
            @ contrast
            for name, size in enumerate(SIZES)
        ]
    )
    variation = ((parts / parts.mean() - 1) ** 2).mean()
    for method in (fit_ols, fit_lineage_jackknife, fit_lineage_cr2):
        fit = method(x, y[:, 0], lineage)
        assert fit.effective_lineage_count == pytest.approx(7 / (1 + variation))


def test_lineages_that_cannot_be_left_out_give_no_interval():
    few = [20, 21, 22, 23], [1, 2, 3, 5], ["a", "a", "b", "b"]
    assert fit_lineage_jackknife(*few).slope == pytest.approx(1.3)
    assert np.isnan(fit_lineage_jackknife(*few).slope_ci_low)
    x, y, lineage = map(np.asarray, few)
    textbook = sandwich(design_of(x), y, lineage)
    assert fit_lineage_cr2(*few).slope_standard_error == pytest.approx(textbook.standard_error)
    assert fit_lineage_cr2(*few).degrees_of_freedom == pytest.approx(textbook.degrees_of_freedom)
    two = [20, 21, 22, 23, 24, 26], [1, 2, 3, 5, 4, 4], ["a", "a", "a", "b", "b", "b"]
    assert np.isnan(fit_lineage_jackknife(*two).slope_standard_error)
    # Three are enough, if three models are left without each of them.
    three = [20, 21, 22, 23, 24], [1, 2, 3, 5, 4], ["a", "a", "b", "b", "c"]
    assert fit_lineage_jackknife(*three).slope_standard_error > 0
    bare = [20, 21, 22, 23], [1, 2, 3, 5], ["a", "a", "b", "c"]
    assert np.isnan(fit_lineage_jackknife(*bare).slope_standard_error)
    # Without lineage c all compute is equal.
    stuck = [20.1, 20.1, 20.1, 20.1, 23.2], [1, 2, 3, 4, 5], ["a", "a", "b", "b", "c"]
    for method in (fit_lineage_jackknife, fit_lineage_cr2):
        fit = method(*stuck)
        assert fit.slope == pytest.approx(2.5 / 3.1)
        assert np.isnan([fit.slope_standard_error, fit.degrees_of_freedom, fit.t_quantile]).all()
