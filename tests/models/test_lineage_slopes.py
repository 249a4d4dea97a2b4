"""Slopes over lineages: intervals with the degrees of freedom that they say they have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.estimation.cluster_robust import fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.random_intercepts import fit_lineage_random_intercepts
from models.estimation.scaling import fit_ols

LINEAGES = np.repeat(np.arange(7), [6, 5, 4, 3, 3, 2, 1])
GENERATOR = np.random.default_rng(3)
X = (
    22.0
    + np.repeat(GENERATOR.normal(0, 1, 7), np.bincount(LINEAGES))
    + GENERATOR.normal(0, 0.5, 24)
)
Y = 0.5 * X + GENERATOR.standard_normal(7)[LINEAGES] + GENERATOR.standard_normal(24)


@pytest.mark.parametrize(
    ("fit", "degrees_of_freedom"),
    [
        (fit_ols, 24 - 2),
        (fit_lineage_jackknife, 7 - 1),
        (fit_lineage_random_intercepts, 7 - 1),
        (fit_lineage_cr2, None),
        (fit_lineage_fixed_effects, None),
    ],
)
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_intervals_have_students_t_of_their_degrees_of_freedom(fit, degrees_of_freedom, confidence):
    found = fit(X, Y, LINEAGES, confidence=confidence)
    if degrees_of_freedom is None:
        # Of unequal lineages: fewer than there are, and no whole number.
        assert 1 < found.degrees_of_freedom < 6
    else:
        assert found.degrees_of_freedom == degrees_of_freedom
    quantile = stats.t.ppf((1 + confidence) / 2, found.degrees_of_freedom)
    margin = quantile * found.slope_standard_error
    assert found.t_quantile == pytest.approx(quantile, rel=1e-9)
    assert found.slope_ci_low == pytest.approx(found.slope - margin, rel=1e-9)
    assert found.slope_ci_high == pytest.approx(found.slope + margin, rel=1e-9)
    ratio = abs(found.slope) / found.slope_standard_error
    assert found.p_value == pytest.approx(2 * stats.t.sf(ratio, found.degrees_of_freedom), rel=1e-6)


def test_effective_lineages_are_those_of_the_worst_case():
    """By the definition: the variance that each lineage adds where all its errors are one."""
    found = fit_lineage_cr2(X, Y, LINEAGES)
    design = np.column_stack([np.ones(24), X])
    inverse = np.linalg.inv(design.T @ design)
    parts = []
    for lineage in range(7):
        own = design[lineage == LINEAGES]
        one_error = np.ones((len(own), len(own)))
        parts.append((inverse @ own.T @ one_error @ own @ inverse)[1, 1])
    parts = np.array(parts)
    spread = parts.var() / parts.mean() ** 2
    assert found.effective_lineage_count == pytest.approx(7 / (1 + spread), rel=1e-9)
