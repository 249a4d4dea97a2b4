"""Censored fits: least squares where compute is known, honest where it is only bounded."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm
from statsmodels.api import OLS, add_constant

from models.estimation.censored_fits import fit_censored_lines, log_likelihoods
from models.estimation.lineage_lines import lineage_errors, t_quantiles


def without_each(values: np.ndarray, lineage: np.ndarray) -> np.ndarray:
    """(1 + G, P, n), all values first."""
    left_out = np.arange(lineage.max() + 1)[:, None] == lineage
    return np.concatenate([values[None], np.where(left_out[:, None], np.nan, values)])


def draw(generator, count: int = 14, bounded: int = 7):
    """Low and high log10 compute and values of models, the last `bounded` within wide intervals."""
    x = 21.0 + 3.0 * generator.uniform(size=count)
    below, above = generator.uniform(0.2, 2.0, (2, count))
    known = np.arange(count) < count - bounded
    low, high = np.where(known, x, x - below), np.where(known, x, x + above)
    return low, high, 0.8 * x + 0.5 * generator.standard_normal(count)


def test_known_compute_gives_least_squares_and_its_jackknife():
    generator = np.random.default_rng(0)
    x = 22.0 + generator.standard_normal(12)
    y = 0.7 * x + generator.standard_normal(12)
    lineage = np.arange(12) // 3
    fits = fit_censored_lines(x[None], x[None], without_each(y[None], lineage))
    witness = OLS(y, add_constant(x)).fit()
    assert fits.slope[0] == pytest.approx(witness.params[1], rel=1e-9)
    assert fits.intercept[0] == pytest.approx(witness.params[0], rel=1e-9)
    assert fits.log_likelihood[0] == pytest.approx(witness.llf, rel=1e-12)
    # Maximum likelihood divides by n, least squares by n - 2.
    assert fits.information_error[0] == pytest.approx(witness.bse[1] * np.sqrt(10 / 12), rel=1e-7)
    refits = [OLS(y[lineage != g], add_constant(x[lineage != g])).fit().params[1] for g in range(4)]
    np.testing.assert_allclose(fits.replicates[:, 0], refits, rtol=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "log_deviation"),
    [(2.0, 0.7, -0.5), (17.0, 1e-4, 0.3), (20.0, 0.0, 0.1), (60.0, -1.9, 0.2)],
)
def test_the_likelihood_is_the_mean_over_the_interval(a: float, b: float, log_deviation: float):
    def density(x: float, value: float) -> float:
        return norm.pdf(value, a + b * x, np.exp(log_deviation))

    low, high, y = draw(np.random.default_rng(1))
    expected = 0.0
    for start, end, value in zip(low, high, y, strict=True):
        if start == end:
            expected += np.log(density(start, value))
        else:
            integral = quad(density, start, end, args=(value,), epsabs=0.0)[0]
            expected += np.log(integral / (end - start))
    parameters = np.array([[a, b, log_deviation]])
    found = log_likelihoods(parameters, low[None], high[None], y[None]).value[0]
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("slope", [0.9, 0.05, 0.0, -1.4])
def test_derivatives_are_those_of_the_likelihood(slope: float):
    low, high, y = draw(np.random.default_rng(2))
    low, high, y = low[None] - 22.0, high[None] - 22.0, y[None] - 17.0
    at = np.array([[0.2, slope, -0.1]])
    terms = log_likelihoods(at, low, high, y)
    for position, step in enumerate(1e-5 * np.eye(3)):
        above, below = (log_likelihoods(at + side * step, low, high, y) for side in (1, -1))
        assert terms.gradient[0, position] == pytest.approx(
            (above.value[0] - below.value[0]) / 2e-5, rel=1e-6, abs=1e-6
        )
        np.testing.assert_allclose(
            terms.hessian[0, position],
            (above.gradient[0] - below.gradient[0]) / 2e-5,
            rtol=1e-5,
            atol=1e-5,
        )


def test_no_other_start_finds_a_higher_likelihood():
    generator = np.random.default_rng(3)
    for _ in range(10):
        low, high, y = (part[None] for part in draw(generator, 20, 14))
        low, high = low - 22.0, high - 22.0
        fit = fit_censored_lines(low, high, y[None])

        def negative(parameters, low=low, high=high, y=y):
            terms = log_likelihoods(parameters[None], low, high, y)
            return -terms.value[0], -terms.gradient[0]

        for start in (-2.0, -0.5, 0.5, 2.0):
            other = minimize(negative, [y.mean(), start, np.log(y.std())], jac=True, method="BFGS")
            assert -other.fun <= fit.log_likelihood[0] + 1e-9
            if -other.fun >= fit.log_likelihood[0] - 1e-9:
                assert other.x[1] == pytest.approx(fit.slope[0], abs=1e-4)


def test_replicates_are_fits_without_the_lineage():
    low, high, y = draw(np.random.default_rng(4), 18, 10)
    lineage = np.arange(18) % 6
    values = without_each(y[None], lineage)
    fits = fit_censored_lines(low[None], high[None], values)
    for replicate, value in zip(fits.replicates[:, 0], values[1:, 0], strict=True):
        kept = np.isfinite(value)
        alone = fit_censored_lines(low[None, kept], high[None, kept], value[None, None, kept])
        assert replicate == pytest.approx(alone.slope[0], abs=1e-4)
    # A model that is absent is no part of the problem.
    assert alone.replicates.shape == (0, 1)


def test_what_has_no_maximum_is_null():
    x = np.array([21.0, 22.0, 23.0, 24.0])
    for low, y in (
        (x, 2.0 * x),  # On a line: the likelihood has no upper bound.
        (x, np.array([1.0, 2.0, np.nan, np.nan])),  # Two models.
        (np.full(4, 22.0), np.array([1.0, 2.0, 0.0, 4.0])),  # One compute.
        (x, np.ones(4)),  # One value.
    ):
        fits = fit_censored_lines(low[None], low[None], without_each(y[None], np.arange(4)))
        assert np.isnan(fits.slope[0])
        assert np.isnan(fits.information_error[0])
        assert np.isnan(fits.log_likelihood[0])


def test_a_replicate_without_a_maximum_is_null():
    """Without the last lineage, known values are on a line that bounded ones do not contradict."""
    x = np.array([21.0, 22.0, 23.0, 24.0, 22.5, 23.5])
    y = np.array([1.0, 2.0, 3.0, 4.0, 2.4, 5.0])
    low = np.where(np.arange(6) == 4, 21.0, x)
    high = np.where(np.arange(6) == 4, 24.0, x)
    values = np.stack([y, np.where(np.arange(6) == 5, np.nan, y), np.full(6, np.nan)])[:, None]
    fits = fit_censored_lines(low[None], high[None], values)
    assert np.isfinite(fits.slope[0])
    assert np.isnan(fits.replicates[:, 0]).all()


LINEAGES = np.repeat(np.arange(12), [7, 1, 1, 2, 4, 3, 3, 2, 1, 1, 1, 1])
"""About the study's panel: the first lineages known for the most part."""


def coverage(slope: float, share_of: str, draws: int = 400) -> tuple[float, float, float]:
    """Share of intervals that hold the slope, mean and standard deviation of the slopes.

    With a slope of 0 values say nothing of shares, and what these are makes no difference. Of 11
    models compute is known, of 16 between a ten-thousandth of the mixture and all of it.
    """
    generator = np.random.default_rng(5)
    count = len(LINEAGES)
    is_known = np.arange(count) < 11
    high = np.where(is_known, 0.0, 1.8) + generator.normal(22.0, 0.9, count)
    low = np.where(is_known, high, high - 4.0)
    log_share = {
        "spread": -4.0 * generator.uniform(size=(draws, 12))[:, LINEAGES],
        "constant": np.full((draws, count), np.log10(0.005)),
    }[share_of]
    x = np.where(is_known, high, high + log_share)
    shared = generator.standard_normal((draws, 12))[:, LINEAGES]
    y = slope * x + np.sqrt(0.5) * (shared + generator.standard_normal((draws, count)))
    low, high = np.broadcast_to(low, y.shape), np.broadcast_to(high, y.shape)
    fits = fit_censored_lines(low, high, without_each(y, LINEAGES))
    lineage_count = np.full(draws, 12)
    errors = lineage_errors(fits.slope, fits.replicates, lineage_count, fits.information_error)
    distance = np.abs(fits.slope - slope) / errors.standard_error
    covered = np.mean(distance <= t_quantiles(lineage_count))
    return float(covered), float(fits.slope.mean()), float(fits.slope.std())


@pytest.mark.parametrize("slope", [0.0, 1.0])
def test_intervals_cover_when_shares_are_spread_as_assumed(slope: float):
    covered, mean, deviation = coverage(slope, "spread")
    assert 0.92 <= covered <= 0.985
    assert abs(mean - slope) < 4.0 * deviation / np.sqrt(400.0)


def test_a_slope_is_understated_when_shares_are_all_the_same():
    _, mean, deviation = coverage(1.0, "constant")
    assert 0.6 < mean < 1.0 - 4.0 * deviation / np.sqrt(400.0)
