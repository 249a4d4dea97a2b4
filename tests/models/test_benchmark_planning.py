"""Benchmark plans: what forward selection by scikit-learn's ridge chooses, with nested errors."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from models.estimation.benchmark_planning import RIDGES, plan_benchmarks
from models.estimation.errors import EstimationError, InsufficientDataError


def two_abilities(generator, lineage_count=10, models=4):
    """Benchmarks 4 and 1 measure an ability each; the others are one of the two with noise."""
    lineages = np.repeat(np.arange(lineage_count), models)
    latent = generator.normal(size=(lineage_count, 2))[lineages]
    latent += generator.normal(size=latent.shape)
    noise = 0.5 * generator.normal(size=(len(lineages), 7))
    noise[:, [1, 4]] = 0.0
    return latent[:, [0, 1, 0, 0, 0, 1, 1]] + noise, lineages


def test_the_benchmarks_that_measure_the_abilities_are_asked_first():
    scores, lineages = two_abilities(np.random.default_rng(0))
    plan = plan_benchmarks(scores, lineages)
    assert plan.order[:2].tolist() == [4, 1]
    assert plan.selection_shares[1].tolist() == [0, 1, 0, 0, 1, 0, 0]
    # What is left is noise of standard deviation 0.5.
    assert plan.error[1] == pytest.approx(0.5, rel=0.15)
    assert plan.explained_share[1] > 0.8
    assert np.isnan(plan.benchmark_errors[1, [1, 4]]).all()
    np.testing.assert_allclose(plan.benchmark_errors[1, [0, 2, 3, 5, 6]], 0.5, rtol=0.4)


def test_a_benchmark_that_costs_much_is_asked_late():
    scores, lineages = two_abilities(np.random.default_rng(0))
    plan = plan_benchmarks(scores, lineages, costs=[1, 1, 1, 1, 1000, 1, 1])
    assert 4 not in plan.order[:4]
    cheap = plan_benchmarks(scores, lineages, costs=np.full(7, 7.0))
    assert cheap.order.tolist() == plan_benchmarks(scores, lineages).order.tolist()


def predicted(train, asked, rest, rows, ridge):
    """Standardised by `train`, the ridge in variances, which is its count times as much here."""
    centre, scale = train.mean(axis=0), train.std(axis=0)
    known, new = (train - centre) / scale, (rows - centre) / scale
    if not asked:
        return centre[rest], scale[rest]
    fit = Ridge(alpha=ridge * len(train), fit_intercept=False).fit(known[:, asked], known[:, rest])
    return fit.predict(new[:, asked]).reshape(len(rows), -1) * scale[rest] + centre[rest], scale[
        rest
    ]


def squared_errors(scores, lineages, asked, ridge, held_out, left_out):
    """Of the rest, a mean over the models of `held_out`, in variances of the models kept."""
    rest = [j for j in range(scores.shape[1]) if j not in asked]
    rows = scores[lineages == held_out]
    train = scores[~np.isin(lineages, [held_out, left_out])]
    prediction, scale = predicted(train, asked, rest, rows, ridge)
    squares = ((rows[:, rest] - prediction) ** 2).mean(axis=0)
    return squares, squares / scale**2


def selected(scores, lineages, left_out):
    """Ridge and order that the lineages other than `left_out` choose, by brute force."""
    inner = [one for one in np.unique(lineages) if one != left_out]
    found = []
    for ridge in RIDGES:
        order, errors = [], []
        while len(order) < scores.shape[1] - 1:
            tried = {
                j: np.mean(
                    [
                        squared_errors(scores, lineages, [*order, j], ridge, one, left_out)[1]
                        for one in inner
                    ]
                )
                for j in range(scores.shape[1])
                if j not in order
            }
            order.append(min(tried, key=tried.get))
            errors.append(tried[order[-1]])
        found.append((np.mean(errors), ridge, order))
    return min(found)[1:]


def test_plans_equal_a_nested_search_by_brute_force():
    generator = np.random.default_rng(3)
    lineages = np.repeat([0, 1, 2, 3, 4], [3, 5, 2, 4, 1])
    scores = generator.normal(size=(15, 2)) @ generator.normal(size=(2, 4))
    scores = 10 + 3 * scores + generator.normal(size=(15, 4)) * [0.5, 1, 2, 4]
    plan = plan_benchmarks(scores, lineages)
    ridge, order = selected(scores, lineages, left_out=None)
    assert (plan.ridge, plan.order.tolist()) == (ridge, order)

    deviation = scores.std(axis=0)
    choices = {one: selected(scores, lineages, left_out=one) for one in range(5)}
    for size in (1, 2, 3):
        nested, of_mean, unit_free, own = [], [], [], []
        for one, (nested_ridge, nested_order) in choices.items():
            asked = nested_order[:size]
            rest = [j for j in range(4) if j not in asked]
            squares, _ = squared_errors(scores, lineages, asked, nested_ridge, one, one)
            nested.append(squares.mean())
            unit_free.append((squares / deviation[rest] ** 2).mean())
            means = scores[lineages != one].mean(axis=0)
            rows = (scores[lineages == one] - means)[:, rest] / deviation[rest]
            of_mean.append((rows**2).mean())
            own.append(squared_errors(scores, lineages, order[:size], ridge, one, one)[0])
        assert plan.error[size - 1] == pytest.approx(np.sqrt(np.mean(nested)))
        assert plan.standardised_error[size - 1] == pytest.approx(np.sqrt(np.mean(unit_free)))
        share = 1 - np.mean(unit_free) / np.mean(of_mean)
        assert plan.explained_share[size - 1] == pytest.approx(share)
        assert plan.worst_lineage[size - 1] == np.argmax(unit_free)
        assert plan.worst_lineage_error[size - 1] == pytest.approx(np.sqrt(max(unit_free)))
        rest = [j for j in range(4) if j not in order[:size]]
        np.testing.assert_allclose(
            plan.benchmark_errors[size - 1, rest], np.sqrt(np.mean(own, axis=0))
        )
        optimistic = np.sqrt(np.mean(np.array(own) / deviation[rest] ** 2))
        assert plan.optimistic_standardised_error[size - 1] == pytest.approx(optimistic)
        shares = [np.mean([j in choices[one][1][:size] for one in range(5)]) for j in range(4)]
        assert plan.selection_shares[size - 1] == pytest.approx(shares)


def test_the_nested_error_is_that_of_lineages_that_are_new():
    generator = np.random.default_rng(8)
    loadings = generator.normal(size=(2, 8))

    def world(lineage_count):
        lineages = np.repeat(np.arange(lineage_count), 3)
        latent = generator.normal(size=(lineage_count, 2))[lineages]
        latent += 0.7 * generator.normal(size=latent.shape)
        return latent @ loadings + generator.normal(size=(len(lineages), 8)), lineages

    size = 3
    nested, optimistic, true = [], [], []
    for _ in range(40):
        scores, lineages = world(10)
        plan = plan_benchmarks(scores, lineages)
        asked = plan.order[:size].tolist()
        rest = [j for j in range(8) if j not in asked]
        new, _ = world(200)
        prediction, _ = predicted(scores, asked, rest, new, plan.ridge)
        true.append(np.mean(((new[:, rest] - prediction) / scores.std(axis=0)[rest]) ** 2))
        nested.append(plan.standardised_error[size - 1] ** 2)
        optimistic.append(plan.optimistic_standardised_error[size - 1] ** 2)
    # A tenth fewer lineages to learn from, and their noise.
    assert np.mean(nested) == pytest.approx(np.mean(true), rel=0.1)
    assert np.mean(optimistic) < 0.95 * np.mean(true)


def test_the_nested_error_is_honest_where_nothing_can_be_told():
    generator = np.random.default_rng(5)
    lineages = np.repeat(np.arange(6), 3)
    shares, gaps = [], []
    for _ in range(20):
        plan = plan_benchmarks(generator.normal(size=(18, 8)), lineages)
        shares.append(plan.explained_share[:3])
        gaps.append(plan.standardised_error[:3] / plan.optimistic_standardised_error[:3])
    # Independent noise: knowing other benchmarks does not help, and chosen ones seem to.
    assert np.mean(shares) < 0
    assert np.mean(gaps) > 1.03


def test_neither_order_of_models_nor_units_change_a_plan():
    scores, lineages = two_abilities(np.random.default_rng(1))
    shuffled = np.random.default_rng(2).permutation(len(scores))
    plan = plan_benchmarks(scores, lineages)
    other = plan_benchmarks(100 * scores[shuffled] + 50, lineages[shuffled])
    assert other.order.tolist() == plan.order.tolist()
    np.testing.assert_allclose(other.error, 100 * plan.error, rtol=1e-9)
    np.testing.assert_allclose(other.explained_share, plan.explained_share, rtol=1e-9)


def test_what_cannot_be_planned_is_said():
    scores, lineages = two_abilities(np.random.default_rng(1), lineage_count=3)
    with pytest.raises(InsufficientDataError, match="7 benchmarks and 3 lineages"):
        plan_benchmarks(scores, lineages)
    scores, lineages = two_abilities(np.random.default_rng(1))
    with pytest.raises(InsufficientDataError, match="1 benchmarks and 10 lineages"):
        plan_benchmarks(scores[:, :1], lineages)
    scores[lineages > 1, 2] = 0.25
    with pytest.raises(InsufficientDataError, match="column 'c' has the same score"):
        plan_benchmarks(scores, lineages, labels=list("abcdefg"))
    scores[3, 2] = np.nan
    with pytest.raises(EstimationError, match="model 3: its scores"):
        plan_benchmarks(scores, lineages)
    with pytest.raises(EstimationError, match="costs must be above 0; the smallest is 0"):
        plan_benchmarks(scores[:3], lineages[:3], costs=[0, 1, 1, 1, 1, 1, 1])
    with pytest.raises(EstimationError, match="40 lineages and 1 costs"):
        plan_benchmarks(scores, lineages, costs=[1])
