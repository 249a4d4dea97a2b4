"""Fits at their limits: what the fewest models and lineages still say."""

from __future__ import annotations

import numpy as np
import pytest

from models.estimation.cluster_robust import fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.jackknife import delete_groups
from models.estimation.random_intercepts import fit_lineage_random_intercepts
from models.estimation.scaling import fit_ols

METHODS = {
    "ols": fit_ols,
    "ols_lineage_jackknife": fit_lineage_jackknife,
    "ols_lineage_cr2": fit_lineage_cr2,
    "lineage_fixed_effects": fit_lineage_fixed_effects,
    "lineage_random_intercepts": fit_lineage_random_intercepts,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("x", [[21.0, 21.0, 21.0], [21.0, 22.0, 23.0]])
def test_a_fit_says_its_method_and_counts_with_a_line_and_without(method, x):
    fit = METHODS[method](x, [1.0, 2.0, 4.0], ["a", "b", "b"])
    assert fit.method == method
    has_line = x[0] != x[1]
    if method == "lineage_fixed_effects":
        # Lineage b alone has models of different compute, and there are two of them.
        assert (fit.model_count, fit.lineage_count) == ((2, 1) if has_line else (0, 0))
    else:
        assert (fit.model_count, fit.lineage_count) == (3, 2)


@pytest.mark.parametrize(
    ("lineages", "has_interval"),
    [
        ("aabbcc", True),
        ("aaabbb", False),  # two lineages
        ("aaabbc", True),  # without lineage a, three models are left
        ("aaaabc", False),  # and here two
    ],
)
def test_the_jackknife_needs_three_lineages_and_three_models_without_any(lineages, has_interval):
    x, y = np.array([20.0, 21.0, 23.0, 20.5, 22.0, 24.0]), np.array([1.0, 3.0, 2.0, 5.0, 4.0, 7.0])
    fit = fit_lineage_jackknife(x, y, list(lineages))
    assert np.isnan(fit.slope_standard_error) != has_interval
    assert np.isnan(fit.slope_ci_low) != has_interval
    assert not fit.is_floored or has_interval


def test_fixed_effects_describe_the_compute_of_the_models_that_count():
    x, y = np.array([20.0, 21.0, 23.0, 20.5, 22.0, 29.0]), np.array([1.0, 3.0, 2.0, 5.0, 4.0, 7.0])
    # Lineage c has one model: it and its compute are not counted.
    fit = fit_lineage_fixed_effects(x, y, list("aaabbc"))
    assert (fit.model_count, fit.lineage_count) == (5, 2)
    assert (fit.x_min, fit.x_max, fit.x_mean) == pytest.approx((20.0, 23.0, x[:5].mean()))
    within = ((x[:3] - x[:3].mean()) ** 2).sum() + ((x[3:5] - x[3:5].mean()) ** 2).sum()
    assert fit.x_sum_of_squares == pytest.approx(within)


def test_models_are_grouped_from_201_on():
    assert len(set(delete_groups(200))) == 200
    assert len(set(delete_groups(201))) == 50
