"""Lineage lines: the errors of many slopes at once are those of each, made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.api import OLS, add_constant

from models.estimation.lineage_lines import (
    LineageErrors,
    bound_quantiles,
    least_squares_slopes,
    lineage_errors,
    p_values,
    t_quantiles,
)
from models.estimation.slope_bounds import bound_slopes


def test_slopes_equal_statsmodels_over_present_models():
    generator = np.random.default_rng(0)
    x, y = 22.0 + generator.standard_normal((2, 4, 9))
    y[1, 3] = x[2, 0] = np.nan
    slopes = least_squares_slopes(x, y)
    for row in range(4):
        kept = np.isfinite(x[row]) & np.isfinite(y[row])
        witness = OLS(y[row, kept], add_constant(x[row, kept])).fit()
        assert slopes.slope[row] == pytest.approx(witness.params[1], rel=1e-9)
        assert slopes.standard_error[row] == pytest.approx(witness.bse[1], rel=1e-9)


def test_two_models_or_one_compute_have_no_slope():
    x, y = np.array([[1.0, 2.0, np.nan], [3.0, 3.0, 3.0]]), np.array([1.0, 4.0, 2.0])
    assert np.isnan(least_squares_slopes(x, y).slope).all()


def test_lineage_errors_are_the_jackknife_and_never_below_independent_models():
    estimate, replicates = np.array([2.0, 2.0]), np.array([[1.0, 2.0], [2.5, 2.01], [2.0, 2.0]])
    errors = lineage_errors(estimate, replicates, np.array([3, 3]), np.array([0.5, 0.5]))
    # (3 - 1) / 3 x (1 + 0.25) and (3 - 1) / 3 x 0.0001.
    assert errors.standard_error == pytest.approx([np.sqrt(2 / 3 * 1.25), 0.5])
    assert errors.is_floored.tolist() == [False, True]
    few = lineage_errors(estimate, replicates, np.array([2, 2]), np.array([0.5, 0.5]))
    assert np.isnan(few.standard_error).all()
    replicates[1, 0] = np.nan
    broken = lineage_errors(estimate, replicates, np.array([3, 3]), np.array([0.5, 0.5]))
    assert np.isnan(broken.standard_error).tolist() == [True, False]


def test_p_values_are_of_students_t_with_a_degree_less_than_lineages():
    errors = LineageErrors(np.array([0.5, 0.0, np.nan]), np.array([5, 5, 5]), np.zeros(3, bool))
    found = p_values(np.array([-1.0, 1.0, 1.0]), errors)
    assert found[0] == pytest.approx(2 * stats.t.sf(2.0, 4))
    assert np.isnan(found[1:]).all()
    assert t_quantiles(np.array([5])) == pytest.approx([stats.t.ppf(0.975, 4)])


def test_intervals_of_bounds_go_from_two_sided_to_one_sided():
    width, error = np.array([0.0, 1.0, 50.0, 1.0]), np.array([1.0, 1.0, 1.0, np.nan])
    found = bound_quantiles(width, error, np.full(4, 11))
    assert found[0] == pytest.approx(stats.t.ppf(0.975, 10))
    assert found[2] == pytest.approx(stats.t.ppf(0.95, 10))
    # What Imbens and Manski define it by.
    covered = stats.t.cdf(found[1] + 1.0, 10) - stats.t.cdf(-found[1], 10)
    assert covered == pytest.approx(0.95)
    assert np.isnan(found[3])


@pytest.mark.parametrize("width", [0.0, 0.5, 2.0])
def test_intervals_of_bounds_cover_the_slope_at_the_end_of_its_set(width: float):
    """The true compute is where its bound of the slope is reached: the least favourable place."""
    generator = np.random.default_rng(7)
    lineage = np.repeat(np.arange(15), 3)
    draws = 400
    low = 20.0 + np.repeat(generator.normal(0.0, 1.0, 15), 3) + generator.normal(0.0, 0.4, 45)
    high = low + width * (np.arange(45) % 3 != 0)
    shape = (draws, 45)
    noise = generator.standard_normal((draws, 15))[:, lineage] + generator.standard_normal(shape)
    low, high = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
    y = 1.0 * low + np.sqrt(0.5) * noise
    bounds = bound_slopes(low, high, y)
    slope, floor = least_squares_slopes(bounds.x, y)
    replicates = np.stack(
        [least_squares_slopes(bounds.x, np.where(lineage == g, np.nan, y)).slope for g in range(15)]
    )
    errors = lineage_errors(slope, replicates, np.full(slope.shape, 15), floor)
    quantile = bound_quantiles(
        slope[1] - slope[0], errors.standard_error.max(axis=0), errors.lineage_count[0]
    )
    low_end, high_end = (
        slope[0] - quantile * errors.standard_error[0],
        slope[1] + quantile * errors.standard_error[1],
    )
    covered = np.mean((low_end <= 1.0) & (high_end >= 1.0))
    assert covered >= 0.92
    if width == 0.0:
        assert covered <= 0.98
