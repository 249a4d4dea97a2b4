"""Slope bounds: no slope that bounded compute allows is outside, and both ends are reached."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from models.estimation.slope_bounds import bound_slopes


def slope_of(x: np.ndarray, y: np.ndarray) -> float:
    deviation = x - x.mean()
    return float(deviation @ y / (deviation @ deviation))


def every_end(low: np.ndarray, high: np.ndarray, y: np.ndarray) -> list[float]:
    """Slopes of all choices of interval ends, one after another."""
    choices = itertools.product((False, True), repeat=len(y))
    return [slope_of(np.where(choice, high, low), y) for choice in choices]


def steepest(low: np.ndarray, high: np.ndarray, y: np.ndarray, generator) -> float:
    """Highest slope that a general optimiser finds from many starts."""
    found = [
        -minimize(
            lambda x: -slope_of(x, y),
            generator.uniform(low, high),
            bounds=list(zip(low, high, strict=True)),
            method="L-BFGS-B",
        ).fun
        for _ in range(4)
    ]
    return max(found)


@pytest.mark.parametrize("trend", [0.0, 2.0, -2.0])
def test_bounds_equal_a_search_over_everything(trend: float):
    generator = np.random.default_rng(3)
    one_sided = 0
    for _ in range(10):
        count = generator.integers(4, 8)
        y = generator.standard_normal(count) + trend * np.arange(count)
        low = generator.standard_normal(count) + 2.0 * np.arange(count) * (trend != 0)
        high = low + generator.choice([0.0, 0.3, 2.0], count)
        # One whose compute is known, away from the rest, bounds the slope.
        low[0] = high[0] = low.min() - 1.0
        bounds = bound_slopes(low[None], high[None], y[None])
        ends = every_end(low, high, y)
        lowest, highest = bounds.slope[:, 0]
        for slope, x in zip(bounds.slope[:, 0], bounds.x[:, 0], strict=True):
            assert slope_of(x, y) == pytest.approx(slope, rel=1e-9)
            assert ((low - 1e-12 <= x) & (x <= high + 1e-12)).all()
        assert lowest <= min(ends) + 1e-12
        assert highest >= max(ends) - 1e-12
        # Beyond 0 the extreme slope is at ends of intervals, and the search is complete.
        for slope, end, side in ((lowest, min(ends), 1), (highest, max(ends), -1)):
            if side * slope > 0:
                one_sided += 1
                assert slope == pytest.approx(end, rel=1e-9)
        assert highest >= steepest(low, high, y, generator) - 1e-9
        assert -lowest >= steepest(low, high, -y, generator) - 1e-9
    assert one_sided >= 3 or trend == 0


def test_the_highest_slope_can_be_inside_an_interval():
    """Two known models, and one anywhere between them, worked by hand.

    With x = (0, t, 1) and y = (0, 1, 1) the slope is (t + 1) / (2 (t^2 - t + 1)): 1/2 and 1 at the
    ends of the interval, and highest at t = sqrt(3) - 1, where its derivative is 0.
    """
    low, high, y = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0])
    bounds = bound_slopes(low[None], high[None], y[None])
    assert bounds.slope[:, 0] == pytest.approx([0.5, 0.5 + 1.0 / np.sqrt(3.0)], rel=1e-12)
    assert bounds.x[:, 0, 1] == pytest.approx([0.0, np.sqrt(3.0) - 1.0], abs=1e-7)


def test_known_compute_has_one_slope():
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((2, 5, 9))
    bounds = bound_slopes(x, x, y)
    expected = [slope_of(*row) for row in zip(x, y, strict=True)]
    np.testing.assert_allclose(bounds.slope, [expected, expected], rtol=1e-12)


def test_absent_models_are_no_part_of_a_problem():
    generator = np.random.default_rng(1)
    low, y = generator.standard_normal((2, 12))
    high = low + 0.5
    absent = np.arange(12) % 4 == 0
    bounds = bound_slopes(low[None], high[None], np.where(absent, np.nan, y)[None])
    alone = bound_slopes(low[None, ~absent], high[None, ~absent], y[None, ~absent])
    np.testing.assert_allclose(bounds.slope, alone.slope, rtol=1e-12)
    assert np.isnan(bounds.x[:, 0, absent]).all()


def test_nothing_bounds_the_slope_of_models_that_could_have_the_same_compute():
    low, high, y = np.array([0.0, 1.0, 2.0]), np.array([3.0, 3.0, 3.0]), np.array([1.0, 2.0, 4.0])
    assert np.isnan(bound_slopes(low[None], high[None], y[None]).slope).all()
    assert np.isnan(bound_slopes(low[None], high[None], np.full((1, 3), np.nan)).slope).all()


def test_values_that_do_not_vary_have_no_slope():
    low, high = np.array([[0.0, 1.0, 5.0]]), np.array([[0.5, 3.0, 6.0]])
    assert (bound_slopes(low, high, np.full((1, 3), 0.7)).slope == 0.0).all()


def test_many_models_that_are_the_same_take_no_longer():
    """Of fifty equal models only their number at each end counts: 51 cases, not 2^50."""
    y = np.append(np.zeros(50), 3.0 * np.arange(10) + 1.0)
    low = np.append(np.full(50, 20.0), 21.0 + 1.5 * np.arange(10))
    high = low + np.append(np.full(50, 0.7), np.zeros(10))
    at_high = np.arange(51)[:, None] > np.arange(50)
    expected = min(slope_of(np.append(np.where(row, 20.7, 20.0), low[50:]), y) for row in at_high)
    found = bound_slopes(low[None], high[None], y[None]).slope[0, 0]
    assert found == pytest.approx(expected, rel=1e-12)
