"""Random intercepts: equal to statsmodels, to full matrices and to what is known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar
from statsmodels.api import GLS, OLS, MixedLM, add_constant

from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.random_intercepts import fit_lineage_random_intercepts
from models.estimation.scaling import fit_ols
from tests.models.lineage_data import design_of, draw, share_covered


def covariance_of(correlation: float, lineage: np.ndarray) -> np.ndarray:
    """Of n models, the residual variance being 1."""
    same = np.equal.outer(lineage, lineage)
    return np.eye(len(lineage)) + correlation / (1 - correlation) * same


def restricted_log_likelihood(
    correlation: float, x: np.ndarray, y: np.ndarray, lineage: np.ndarray
) -> float:
    """As Patterson and Thompson (1971) write it, with full matrices."""
    design, inverse = design_of(x), np.linalg.inv(covariance_of(correlation, lineage))
    known = design.T @ inverse @ design
    residuals = y - design @ np.linalg.solve(known, design.T @ inverse @ y)
    degrees = len(x) - 2
    variance = residuals @ inverse @ residuals / degrees
    return 0.5 * (
        np.linalg.slogdet(inverse)[1] - np.linalg.slogdet(known)[1] - degrees * np.log(variance)
    )


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_estimates_equal_statsmodels(seed):
    x, y, lineage = draw(np.random.default_rng(seed), (8, 5, 4, 4, 3, 2, 1, 1), shared=0.6)
    fit = fit_lineage_random_intercepts(x, y[:, 0], lineage)
    witness = MixedLM(y[:, 0], add_constant(x - 22), lineage).fit(reml=True, method="powell")
    level, residual = witness.cov_re[0, 0], witness.scale
    assert 0.1 < fit.intra_lineage_correlation < 0.95
    assert fit.slope == pytest.approx(witness.params[1], rel=1e-4)
    assert fit.intercept + 22 * fit.slope == pytest.approx(witness.params[0], rel=1e-4)
    assert fit.intra_lineage_correlation == pytest.approx(level / (level + residual), abs=1e-3)
    assert fit.residual_standard_deviation == pytest.approx(np.sqrt(residual), rel=1e-3)
    # It adds that the variances are estimated, to which Student's t is the answer here.
    assert 0.9 * witness.bse[1] < fit.slope_standard_error < 1.001 * witness.bse[1]


@pytest.mark.parametrize("seed", range(6))
def test_estimates_equal_full_matrices(seed):
    x, y, lineage = draw(np.random.default_rng(seed), shared=0.5)
    fit = fit_lineage_random_intercepts(x, y[:, 0], lineage)
    best = minimize_scalar(
        lambda correlation: -restricted_log_likelihood(correlation, x, y[:, 0], lineage),
        bounds=(0, 0.999),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert fit.intra_lineage_correlation == pytest.approx(best.x, abs=1e-5)
    covariance = covariance_of(float(fit.intra_lineage_correlation), lineage)
    witness = GLS(y[:, 0], add_constant(x), sigma=covariance).fit()
    assert fit.slope == pytest.approx(witness.params[1], rel=1e-8)
    assert fit.intercept == pytest.approx(witness.params[0], rel=1e-8)
    assert fit.slope_standard_error == pytest.approx(witness.bse[1], rel=1e-8)
    assert fit.residual_standard_deviation == pytest.approx(np.sqrt(witness.scale), rel=1e-8)
    assert fit.degrees_of_freedom == 6
    margin = stats.t.ppf(0.975, 6) * witness.bse[1]
    assert (fit.slope_ci_low, fit.slope_ci_high) == pytest.approx(
        (fit.slope - margin, fit.slope + margin), rel=1e-8
    )


def test_the_ratio_of_variances_is_exact():
    # To more digits than two builds may differ by, where the likelihood itself is flat.
    x, y, lineage = draw(np.random.default_rng(7), count=20, shared=0.6)
    one = fit_lineage_random_intercepts(x, y, lineage)
    other = fit_lineage_random_intercepts(x[::-1], y[::-1] + 1e-13, lineage[::-1])
    np.testing.assert_allclose(one.slope, other.slope, rtol=1e-11)
    np.testing.assert_allclose(
        one.intra_lineage_correlation, other.intra_lineage_correlation, rtol=1e-9
    )


def test_siblings_that_are_no_more_alike_give_least_squares():
    x, y, lineage = draw(np.random.default_rng(8), count=200)
    fit, plain = fit_lineage_random_intercepts(x, y, lineage), fit_ols(x, y, lineage)
    alike = fit.intra_lineage_correlation == 0
    assert 50 < alike.sum() < 180
    np.testing.assert_allclose(fit.slope[alike], plain.slope[alike])
    np.testing.assert_allclose(fit.slope_standard_error[alike], plain.slope_standard_error[alike])
    np.testing.assert_allclose(fit.intercept[alike], plain.intercept[alike])


def test_equal_lineages_have_the_variances_of_an_analysis_of_variance():
    generator = np.random.default_rng(9)
    lineage, x = np.repeat(np.arange(6), 4), np.tile([20.0, 21.0, 22.5, 24.0], 6)
    y = 0.5 * x + generator.normal(0, 2, 6)[lineage] + generator.normal(0, 1, 24)
    fit = fit_lineage_random_intercepts(x, y, lineage)
    within = OLS(y, design_of(x, lineage)).fit()
    means = y.reshape(6, 4).mean(axis=1)
    level = means.var(ddof=1) - within.mse_resid / 4
    assert fit.slope == pytest.approx(within.params[-1])
    assert fit.residual_standard_deviation == pytest.approx(np.sqrt(within.mse_resid))
    assert fit.intra_lineage_correlation == pytest.approx(level / (level + within.mse_resid))
    assert fit.slope_standard_error == pytest.approx(within.bse[-1])
    assert fit.effective_lineage_count == pytest.approx(6)
    assert fit.largest_lineage_leverage == pytest.approx(1 / 6)


@pytest.mark.parametrize(("distance", "least"), [(1e3, 0.9999), (3e4, 1 - 2e-8)])
def test_lineages_far_apart_are_compared_within(distance, least):
    x, y, lineage = draw(np.random.default_rng(10))
    far = y[:, 0] + distance * np.random.default_rng(0).permutation(7)[lineage]
    fit = fit_lineage_random_intercepts(x, far, lineage)
    assert least < fit.intra_lineage_correlation < 1
    assert fit.slope == pytest.approx(fit_lineage_fixed_effects(x, far, lineage).slope, abs=1e-3)


def test_the_effective_number_is_that_of_the_estimated_covariance():
    x, y, lineage = draw(np.random.default_rng(1), shared=0.6)
    fit = fit_lineage_random_intercepts(x, y[:, 0], lineage)
    design = design_of(x)
    covariance = covariance_of(float(fit.intra_lineage_correlation), lineage)
    weights = np.linalg.inv(covariance) @ design
    contrast = np.linalg.inv(design.T @ weights)[:, -1]
    parts = np.array(
        [
            contrast
            @ weights[lineage == name].T
            @ covariance[np.ix_(lineage == name, lineage == name)]
            @ weights[lineage == name]
            @ contrast
            for name in range(7)
        ]
    )
    assert 0 < fit.intra_lineage_correlation < 1
    assert fit.effective_lineage_count == pytest.approx(
        7 / (1 + ((parts / parts.mean() - 1) ** 2).mean())
    )
    assert fit.largest_lineage_leverage == pytest.approx(parts.max() / parts.sum())


def test_coverage_with_levels_and_without_random_slopes():
    sizes = (11, 7, 6, 5, 4, 3, 3, 3, 2, 2, 1, 1, 1, 1, 1)
    for shared in (0.0, 0.5, 0.8):
        fit = fit_lineage_random_intercepts(
            *draw(np.random.default_rng(11), sizes, shared=shared, count=3_000)
        )
        assert 0.93 <= share_covered(fit.slope_ci_low, fit.slope_ci_high, 0.5) <= 0.975
    # It does not know of slopes that differ between lineages, and then promises too much.
    x, y, lineage = draw(np.random.default_rng(11), sizes, shared=0.5, count=3_000)
    slopes = np.random.default_rng(12).normal(0, 0.5, (len(sizes), 3_000))
    fit = fit_lineage_random_intercepts(x, y + slopes[lineage] * (x[:, None] - 22), lineage)
    assert share_covered(fit.slope_ci_low, fit.slope_ci_high, 0.5) < 0.93


def test_what_cannot_be_told_is_null():
    # Two lineages; no two models of one lineage; no residual within lineages.
    for y, lineage in (
        ([1, 2, 4, 3, 6], list("aaabb")),
        ([1, 2, 4, 3, 6], list("abcde")),
        ([1, 1, 4, 4, 6], list("aabbc")),
    ):
        x = [20, 20, 22, 22, 25] if lineage == list("aabbc") else [20, 21, 22, 23, 25]
        fit = fit_lineage_random_intercepts(x, y, lineage)
        assert np.isnan([fit.slope, fit.slope_ci_low, fit.intra_lineage_correlation]).all()
        assert fit.model_count == 5
