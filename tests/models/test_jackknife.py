"""The jackknife: exact where theory is, and right on simulated data with a known answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.estimation.jackknife import FISHER_Z, LOGIT, Jackknife, Scale, delete_groups


def without_each(values: np.ndarray) -> np.ndarray:
    """(n, ...) rows of (n - 1) values."""
    return np.array([np.delete(values, row, axis=0) for row in range(len(values))])


def test_the_error_of_a_mean_is_the_textbooks():
    values = np.random.default_rng(0).normal(5, 2, (30, 4))
    jackknife = Jackknife(values.mean(axis=0))
    jackknife.add(without_each(values).mean(axis=1))
    found = jackknife.uncertainty()
    np.testing.assert_allclose(found.standard_error, stats.sem(values), rtol=1e-12)
    low, high = stats.t.interval(0.95, 29, loc=values.mean(axis=0), scale=stats.sem(values))
    np.testing.assert_allclose([found.low, found.high], [low, high], rtol=1e-12)


@pytest.mark.parametrize("batch", [1, 7, 30])
def test_replicates_may_come_in_any_batches(batch):
    values = np.random.default_rng(1).random(30)
    replicates = without_each(values).mean(axis=1)
    whole, parts = Jackknife(values.mean(), LOGIT), Jackknife(values.mean(), LOGIT)
    whole.add(replicates)
    for first in range(0, 30, batch):
        parts.add(replicates[first : first + batch])
    one, other = whole.uncertainty(), parts.uncertainty()
    assert other.standard_error == pytest.approx(one.standard_error, rel=1e-12)
    assert other.low == pytest.approx(one.low, rel=1e-12)


def test_groups_of_equal_means_leave_no_error():
    """What is left out together counts as one: here twelve rows are three equal groups."""
    rows = np.tile([1.0, 2.0, 3.0, 6.0], 3)
    groups = np.repeat([0, 1, 2], 4)
    by_group, by_row = Jackknife(rows.mean()), Jackknife(rows.mean())
    by_group.add(np.array([rows[groups != group].mean() for group in range(3)]))
    by_row.add(without_each(rows).mean(axis=1))
    assert by_group.uncertainty().standard_error == 0
    assert by_row.uncertainty().standard_error == pytest.approx(stats.sem(rows))


def test_a_large_estimate_does_not_cancel_a_small_error():
    values = 1e9 + np.random.default_rng(2).normal(0, 1e-3, 50)
    jackknife = Jackknife(values.mean())
    jackknife.add(without_each(values).mean(axis=1))
    assert jackknife.uncertainty().standard_error == pytest.approx(stats.sem(values), rel=1e-2)


def test_unbounded_scales_have_no_interval_and_still_an_error():
    ratios = Jackknife([1.0, 0.5, 0.5], LOGIT)
    ratios.add(np.array([[1.0, 0.4, 1.0], [0.9, 0.5, 0.5], [0.8, 0.6, 0.5]]))
    found = ratios.uncertainty()
    assert np.isnan(found.low).tolist() == [True, False, True]
    assert np.isnan(found.high).tolist() == [True, False, True]
    assert (found.standard_error > 0).all()
    assert 0 < found.low[1] < 0.5 < found.high[1] < 1


def correlation(pairs: np.ndarray) -> np.ndarray:
    """(...,) of (..., n, 2)."""
    centred = pairs - pairs.mean(axis=-2, keepdims=True)
    products = (centred[..., 0] * centred[..., 1]).sum(axis=-1)
    return products / np.sqrt((centred**2).sum(axis=-2).prod(axis=-1))


def share(pairs: np.ndarray) -> np.ndarray:
    """(...,) of (..., n, 2): the share of the first column in the sum of both."""
    return pairs[..., 0].sum(axis=-1) / pairs.sum(axis=(-2, -1))


@pytest.mark.parametrize(
    ("statistic", "scale", "truth"), [(correlation, FISHER_Z, 0.8), (share, LOGIT, 0.2)]
)
def test_intervals_cover_a_known_answer_as_often_as_they_say(statistic, scale: Scale, truth):
    generator = np.random.default_rng(20241219)
    trials, rows = 600, 40
    normal = generator.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], (trials, rows))
    # One panel per entry: (trials, 40, 2), with correlation 0.8, or gamma parts with share 0.2.
    parts = generator.gamma([1.0, 4.0], size=(trials, rows, 2))
    panels = normal if statistic is correlation else parts
    jackknife = Jackknife(statistic(panels), scale)
    for row in range(rows):
        jackknife.add(statistic(np.delete(panels, row, axis=1))[None])
    found = jackknife.uncertainty()
    covered = np.mean((found.low <= truth) & (truth <= found.high))
    lowest, highest = stats.binom.ppf([0.001, 0.999], trials, 0.95) / trials
    assert lowest <= covered <= highest
    spread = np.std(statistic(panels))
    assert np.mean(found.standard_error) == pytest.approx(spread, rel=0.1)


def test_groups_are_rows_up_to_200_and_fifty_beyond():
    assert len(set(delete_groups(200))) == 200
    groups = delete_groups(5_001)
    assert len(set(groups)) == 50
    assert np.bincount(groups).max() - np.bincount(groups).min() <= 1
