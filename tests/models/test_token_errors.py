"""Token errors: what the formulas say happens when errors are drawn."""

from __future__ import annotations

import numpy as np
import pytest

from models.estimation.lineage_lines import least_squares_slopes
from models.estimation.token_errors import ErrorModel, corrected_slopes, slope_deviations

LINEAGE = np.repeat(np.arange(8), [1, 2, 3, 4, 5, 6, 7, 8])
MEMBERSHIP = np.eye(8)[LINEAGE]


def models(generator):
    x = 22.0 + generator.standard_normal(len(LINEAGE))
    return x, 1.5 * x + 0.3 * generator.standard_normal(len(LINEAGE))


def errors_drawn(generator, draws: int, errors: ErrorModel) -> np.ndarray:
    units = 8 if errors.is_shared else len(LINEAGE)
    drawn = errors.standard_deviation * generator.standard_normal((draws, units))
    return drawn[:, LINEAGE] if errors.is_shared else drawn


def test_no_error_leaves_the_slope_as_it_is():
    x, y = models(np.random.default_rng(0))
    for is_shared in (False, True):
        found = corrected_slopes(x, y, MEMBERSHIP, ErrorModel(0.0, is_shared))
        assert found == pytest.approx(least_squares_slopes(x, y).slope, rel=1e-12)


def test_a_small_case_by_hand():
    """x = 0, 1, 2, 3 in lineages of 1 and 3, y = x: sums of squares and products are 5."""
    x, membership = np.arange(4.0), np.array([[1.0, 0], [0, 1.0], [0, 1.0], [0, 1.0]])
    alone = corrected_slopes(x, x, membership, ErrorModel(0.5, False))
    shared = corrected_slopes(x, x, membership, ErrorModel(0.5, True))
    assert alone == pytest.approx(5 / (5 - 0.25 * 3))
    assert shared == pytest.approx(5 / (5 - 0.25 * (4 - 10 / 4)))


@pytest.mark.parametrize("is_shared", [False, True])
def test_the_corrected_slope_is_the_one_before_the_errors(is_shared: bool):
    generator = np.random.default_rng(1)
    x, y = models(generator)
    errors = ErrorModel(0.35, is_shared)
    observed = x + errors_drawn(generator, 20_000, errors)
    found = corrected_slopes(observed, y, MEMBERSHIP, errors)
    plain = least_squares_slopes(observed, y).slope
    true = least_squares_slopes(x, y).slope
    assert abs(np.median(found) / true - 1.0) < 0.03
    assert np.median(plain) / true < 0.97


@pytest.mark.parametrize("is_shared", [False, True])
def test_the_deviation_is_that_of_slopes_with_drawn_errors(is_shared: bool):
    generator = np.random.default_rng(2)
    x, y = models(generator)
    errors = ErrorModel(0.01, is_shared)
    drawn = least_squares_slopes(x + errors_drawn(generator, 20_000, errors), y).slope
    assert slope_deviations(x, y, MEMBERSHIP, errors) == pytest.approx(drawn.std(), rel=0.03)


def test_errors_that_leave_no_variation_leave_no_slope():
    x, y = models(np.random.default_rng(3))
    assert np.isnan(corrected_slopes(x, y, MEMBERSHIP, ErrorModel(3.0, False)))
    few = np.where(np.arange(len(x)) < 2, y, np.nan)
    assert np.isnan(corrected_slopes(x, few, MEMBERSHIP, ErrorModel(0.1, False)))
    assert np.isnan(slope_deviations(x, few, MEMBERSHIP, ErrorModel(0.1, False)))
