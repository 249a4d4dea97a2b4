"""Slopes within lineages: equal to intercepts as regressors, exact for equal lineages."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.api import OLS

from models.estimation.fixed_effects import fit_lineage_fixed_effects
from tests.models.lineage_data import design_of, draw, sandwich, share_covered


def test_the_slope_equals_statsmodels_with_a_column_per_lineage():
    x, y, lineage = draw(np.random.default_rng(0), shared=0.5)
    fit = fit_lineage_fixed_effects(x, y[:, 0], lineage)
    witness = OLS(y[:, 0], design_of(x, lineage)).fit()
    assert fit.slope == pytest.approx(witness.params[-1], rel=1e-9)
    assert fit.residual_standard_deviation == pytest.approx(np.sqrt(witness.mse_resid), rel=1e-9)
    # Two lineages of one model each tell nothing of a slope.
    assert (fit.model_count, fit.lineage_count) == (18, 5)
    counted = lineage < 5
    levels = witness.params[lineage[counted]] - witness.params[-1] * x.mean()
    assert fit.intercept == pytest.approx(levels.mean())


def test_the_correlation_is_that_within_lineages():
    x, y, lineage = draw(np.random.default_rng(1), shared=0.5)
    fit = fit_lineage_fixed_effects(x, y[:, 0], lineage)
    parts = [np.column_stack([x, y[:, 0]])[lineage == name] for name in range(7)]
    within = np.concatenate([part - part.mean(axis=0) for part in parts])
    assert fit.pearson == pytest.approx(np.corrcoef(within.T)[0, 1])
    assert fit.r_squared == pytest.approx(fit.pearson**2)


def test_errors_equal_full_matrices_with_a_column_per_lineage():
    for seed in range(5):
        x, y, lineage = draw(np.random.default_rng(seed), shared=0.5)
        fit = fit_lineage_fixed_effects(x, y[:, 0], lineage)
        error, degrees = sandwich(design_of(x, lineage), y[:, 0], lineage)
        assert fit.slope_standard_error == pytest.approx(error, rel=1e-9)
        assert fit.degrees_of_freedom == pytest.approx(degrees, rel=1e-9)
        margin = stats.t.ppf(0.975, degrees) * error
        assert (fit.slope_ci_low, fit.slope_ci_high) == pytest.approx(
            (fit.slope - margin, fit.slope + margin), rel=1e-9
        )


def test_two_lineages_have_one_degree_of_freedom():
    # Slopes 1 and 3 from sums of squares 2 and 8: their mean is (2 x 1 + 8 x 3) / 10 = 2.6, and its
    # squared error the product of the shares 0.2 and 0.8 times the squared difference: 0.64.
    x, y = [20, 21, 22, 20, 22, 24], [5, 6, 7, 0, 6, 12]
    fit = fit_lineage_fixed_effects(x, y, list("aaabbb"))
    assert fit.slope == pytest.approx(2.6)
    assert fit.slope_standard_error == pytest.approx(0.8)
    assert fit.degrees_of_freedom == pytest.approx(1)
    assert fit.slope_ci_high == pytest.approx(2.6 + np.tan(0.475 * np.pi) * 0.8)
    assert fit.largest_lineage_leverage == pytest.approx(0.8)
    assert fit.effective_lineage_count == pytest.approx(1 / (0.2**2 + 0.8**2))


def test_the_level_of_a_lineage_is_nothing():
    x, y, lineage = draw(np.random.default_rng(2))
    moved = y[:, 0] + np.array([5.0, -3, 0, 8, 1, 2, 9])[lineage]
    one, other = (fit_lineage_fixed_effects(x, values, lineage) for values in (y[:, 0], moved))
    assert one.slope == pytest.approx(other.slope)
    assert one.slope_standard_error == pytest.approx(other.slope_standard_error)


@pytest.mark.parametrize("sizes", [(4,) * 5, (7, 2)])
def test_coverage_is_exact(sizes):
    # Lineages of equal variation, whatever their slopes, and two of any, if models are independent.
    generator = np.random.default_rng(3)
    lineage = np.repeat(np.arange(len(sizes)), sizes)
    x = np.concatenate([np.linspace(20, 24, size) for size in sizes])
    y = generator.normal(0, 1, (len(x), 20_000))
    y += generator.normal(0, 5, (len(sizes), 20_000))[lineage]
    if len(set(sizes)) == 1:
        y += generator.normal(0, 2, (len(sizes), 20_000))[lineage] * (x[:, None] - 22)
    fit = fit_lineage_fixed_effects(x, y, lineage)
    # 20,000 intervals tell 95% from the 93.2% of one a tenth too narrow or 96.3% too wide.
    lowest, highest = stats.binom.ppf([1e-4, 1 - 1e-4], 20_000, 0.95) / 20_000
    covered = share_covered(fit.slope_ci_low, fit.slope_ci_high, 0.0)
    assert lowest <= covered <= highest


def test_lineages_of_one_compute_are_not_counted():
    fit = fit_lineage_fixed_effects(
        [20.3, 20.3, 20.3, 21, 22, 22.5, 24], [1, 2, 3, 4, 5, 1, 3], list("aaabbcc")
    )
    assert (fit.model_count, fit.lineage_count) == (4, 2)
    assert not np.isnan(fit.slope_standard_error)


def test_one_lineage_has_a_slope_and_no_error():
    fit = fit_lineage_fixed_effects([20, 21, 22, 25], [1, 2, 3, 9], list("aaab"))
    assert fit.slope == pytest.approx(1)
    assert (fit.lineage_count, fit.effective_lineage_count) == (1, 1)
    assert np.isnan([fit.slope_standard_error, fit.degrees_of_freedom, fit.p_value]).all()
    none = fit_lineage_fixed_effects([20, 21, 22, 25], [1, 2, 3, 9], list("abcd"))
    assert none.model_count == 0
    assert np.isnan(none.slope)
    # Two models always lie on a line.
    pair = fit_lineage_fixed_effects([20, 21, 22, 25], [1, 2, 3, 9], list("aabc"))
    assert (pair.model_count, pair.lineage_count) == (2, 1)
    assert np.isnan(pair.slope)
