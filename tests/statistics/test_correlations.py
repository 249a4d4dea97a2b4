"""Intervals of correlations, by the warehouse's SQL: as worked out by hand, on unequal lineages."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.statistics.campaign import compiled
from tests.statistics.correlations import correlations

LINEAGES = np.repeat(np.arange(6), [7, 5, 3, 2, 1, 1])


@pytest.fixture(scope="module")
def found():
    """Three panels, and the rows of their correlations."""
    generator = np.random.default_rng(11)
    drawn = generator.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], (3, len(LINEAGES)))
    return drawn, correlations(compiled(), drawn, LINEAGES)


def bounds(z: float, margin: float) -> tuple[float, float]:
    return float(np.tanh(z - margin)), float(np.tanh(z + margin))


@pytest.mark.slow(seconds=10)
def test_intervals_are_those_of_the_formulas(found):
    panels, rows = found
    n, lineage_count = len(LINEAGES), 6
    normal = stats.norm.ppf(0.975)
    for panel, row in zip(panels, rows.itertuples(), strict=True):
        pearson = stats.pearsonr(*panel.T).statistic
        assert row.pearson == pytest.approx(pearson, rel=1e-9)
        assert (row.pearson_ci_low, row.pearson_ci_high) == pytest.approx(
            bounds(np.arctanh(pearson), normal / np.sqrt(n - 3)), rel=1e-9
        )
        spearman = stats.spearmanr(*panel.T).statistic
        # Bonett and Wright 2000, Psychometrika 65:23-28.
        error = np.sqrt((1 + spearman**2 / 2) / (n - 3))
        assert (row.spearman_ci_low, row.spearman_ci_high) == pytest.approx(
            bounds(np.arctanh(spearman), normal * error), rel=1e-9
        )
        without = np.arctanh(
            [np.corrcoef(panel[lineage != LINEAGES].T)[0, 1] for lineage in range(lineage_count)]
        )
        error = np.sqrt(
            (lineage_count - 1) / lineage_count * ((without - without.mean()) ** 2).sum()
        )
        margin = stats.t.ppf(0.975, lineage_count - 1) * error
        assert (row.pearson_lineage_ci_low, row.pearson_lineage_ci_high) == pytest.approx(
            bounds(np.arctanh(pearson), margin), rel=1e-9
        )
