"""The check itself: it passes what is sound, and fails what is a tenth too narrow or too wide."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.estimation.cluster_robust import fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.random_intercepts import fit_lineage_random_intercepts
from models.estimation.scaling import fit_ols
from tests.statistics.campaign import REPETITIONS
from tests.statistics.checking import EXACT, MANY, SHARES, USUAL, judged, power, row, table
from tests.statistics.designs import SlopeDesign, effective_count, slopes_of_many_lineages
from tests.statistics.processes import ALIKE, INDEPENDENT, SLOPE, values
from tests.statistics.slopes import intervals

FACTORS = {0.9: "too narrow", 1.0: "holds", 1.1: "too wide"}


def draws(process) -> tuple[SlopeDesign, np.ndarray]:
    design = slopes_of_many_lineages()
    generator = np.random.default_rng(1)
    return design, values(generator, design, process, REPETITIONS["slopes"]).T


@pytest.mark.parametrize(
    ("fit", "process", "promise"),
    [
        (fit_ols, INDEPENDENT, EXACT),
        (fit_lineage_jackknife, ALIKE, MANY),
        (fit_lineage_cr2, ALIKE, MANY),
        (fit_lineage_fixed_effects, ALIKE, MANY),
        (fit_lineage_random_intercepts, ALIKE, MANY),
    ],
)
def test_an_interval_a_tenth_too_narrow_or_too_wide_fails(fit, process, promise):
    design, drawn = draws(process)
    found = intervals(fit(design.log10_train_flop, drawn, design.lineages), SLOPE)
    for factor, verdict in FACTORS.items():
        rescaled = row("", "", "", promise, (60, 60.0), found.scaled(factor))
        assert rescaled.verdict == verdict, (factor, rescaled.coverage)


@pytest.mark.parametrize("promise", [EXACT, MANY])
@pytest.mark.parametrize("degrees_of_freedom", [30, 1_000])
def test_the_full_form_has_enough_repetitions(promise, degrees_of_freedom):
    for part in ("slopes", "correlations"):
        for factor in (0.9, 1.1):
            assert power(factor, degrees_of_freedom, REPETITIONS[part], promise) > 0.99


def test_power_is_how_often_the_check_fails():
    generator = np.random.default_rng(2)
    coverage = 2 * stats.t.cdf(0.9 * stats.t.ppf(0.975, 20), 20) - 1
    covered, times = np.unique(generator.binomial(2_000, coverage, 4_000), return_counts=True)
    is_rejected = [judged(int(count), 2_000, EXACT) != "holds" for count in covered]
    rejected = np.average(is_rejected, weights=times)
    assert rejected == pytest.approx(power(0.9, 20, 2_000, EXACT), abs=0.03)


def test_a_sound_interval_is_rejected_as_seldom_as_the_level_says():
    assert power(1.0, 20, 2_000, EXACT) < 1e-3


@pytest.mark.parametrize(
    ("covered", "promise", "verdict"),
    [
        (9_500, USUAL, "holds"),
        (9_250, USUAL, "holds"),  # within the binomial error of 93%
        (9_150, USUAL, "too narrow"),
        (9_150, SHARES, "holds"),
        (9_800, USUAL, "too wide"),
        (0, USUAL, "too narrow"),
        (10_000, USUAL, "too wide"),
    ],
)
def test_a_promise_is_broken_beyond_binomial_error_only(covered, promise, verdict):
    assert judged(covered, 10_000, promise) == verdict


@pytest.mark.parametrize(
    ("effective", "promise", "verdict"),
    [
        (1.9, USUAL, "cannot be told"),
        (2.5, USUAL, "few units"),
        (3.0, USUAL, "too narrow"),
        (3.0, None, "no promise"),
    ],
)
def test_of_few_lineages_nothing_is_promised(effective, promise, verdict):
    rows = [row_of(0.5, effective, promise)]
    assert rows[0].verdict == verdict
    assert verdict in table(rows)


def row_of(coverage: float, effective: float, promise):
    class Fit:
        slope = np.where(np.arange(1_000) < 1_000 * coverage, 0.0, 2.0)
        slope_ci_low = slope - 1.0
        slope_ci_high = slope + 1.0

    return row("d", "p", "e", promise, (4, effective), intervals(Fit, 0.0))


def test_repetitions_without_an_interval_are_counted_and_not_covered():
    class Fit:
        slope = np.array([0.0, 0.0, 2.0])
        slope_ci_low = np.array([-1.0, np.nan, 1.0])
        slope_ci_high = np.array([1.0, np.nan, 3.0])

    found = row("d", "p", "e", USUAL, (4, 4.0), intervals(Fit, 0.0))
    assert (found.repetitions, found.covered, found.undefined) == (2, 1, 1)
    assert found.median_width == 2


def test_effective_counts_by_hand():
    assert effective_count(np.array([1.0, 1.0, 1.0])) == pytest.approx(3)
    assert effective_count(np.array([4.0, 1.0, 1.0])) == pytest.approx(2)
    assert effective_count(np.array([1.0, 0.0, 0.0])) == pytest.approx(1)
