"""Principal components and their jackknife: equal to other code, and right on average."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from models.estimation.component_analysis import (
    aligned,
    analyse_components,
    replicated_abilities,
    replicated_congruences,
)
from models.estimation.errors import EstimationError, InsufficientDataError
from models.estimation.missing_data import Moments, conditional_scores, estimate_moments
from models.estimation.principal_components import (
    PrincipalComponents,
    abilities,
    component_signs,
    principal_components,
)

# Two abilities and specific parts: eigenvalues 3.55, 1.44 and smaller ones, well apart.
LOADINGS = np.array([[0.9, 0.0], [0.85, 0.2], [0.8, -0.2], [0.75, 0.3], [0.5, 0.75], [0.6, -0.7]])
CORRELATION = LOADINGS @ LOADINGS.T
np.fill_diagonal(CORRELATION, 1.0)
TRUTH = principal_components(Moments(np.zeros(6), CORRELATION, 1))


def draw(generator: np.random.Generator, row_count: int, missing_share: float) -> np.ndarray:
    scores = generator.multivariate_normal(np.full(6, 0.5), CORRELATION / 100, row_count)
    hidden = generator.random(scores.shape) < missing_share
    hidden[hidden.all(axis=1)] = False
    return np.where(hidden, np.nan, scores)


def test_complete_panels_equal_scikit_learn():
    scores = draw(np.random.default_rng(0), 40, 0.0)
    analysis = analyse_components(scores)
    witness = PCA().fit(StandardScaler().fit_transform(scores))
    components = analysis.components
    np.testing.assert_allclose(
        components.explained_variance_ratio, witness.explained_variance_ratio_, atol=1e-12
    )
    products = (components.eigenvectors.T * witness.components_).sum(axis=1)
    np.testing.assert_allclose(np.abs(products), 1, atol=1e-10)
    np.testing.assert_allclose(analysis.abilities.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(analysis.abilities.var(axis=0), components.eigenvalues, atol=1e-10)


def test_loadings_are_correlations_with_abilities():
    scores = draw(np.random.default_rng(0), 40, 0.0)
    analysis = analyse_components(scores)
    for index in range(6):
        for component in range(6):
            expected = np.corrcoef(scores[:, index], analysis.abilities[:, component])[0, 1]
            assert analysis.components.loadings[index, component] == pytest.approx(expected)


def test_the_sign_rule():
    vectors = np.array([[-0.8, 0.1, 0.5], [-0.3, -0.9, 0.5], [0.2, 0.1, -0.5]])
    # A sum below zero; an entry of largest size below zero; a tie, which the first row decides.
    assert component_signs(vectors).tolist() == [-1, -1, 1]
    assert component_signs(-vectors).tolist() == [1, 1, -1]


def test_the_sum_of_component_1_decides_over_its_largest_entry():
    vectors = np.array([[-0.7, -0.7], [0.6, 0.5], [0.4, 0.5]])
    assert component_signs(vectors).tolist() == [1, -1]
    assert component_signs(-vectors).tolist() == [-1, 1]


def test_replicates_are_matched_and_turned_to_the_panels_components():
    """Without a group two components swap places and one of them points the other way."""
    cosine, sine = np.cos(0.1), np.sin(0.1)
    turned = np.array([[0, cosine, -sine], [0, sine, cosine], [1, 0, 0]])
    replicate = PrincipalComponents(
        np.zeros(3), np.ones(3), np.array([1.2, 1.1, 0.7]), turned * [-1, 1, -1]
    )
    found = aligned(replicate, PrincipalComponents(np.zeros(3), np.ones(3), np.ones(3), np.eye(3)))
    np.testing.assert_allclose(found.eigenvalues, [1.1, 0.7, 1.2])
    np.testing.assert_allclose(
        found.eigenvectors, [[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]], atol=1e-15
    )


def test_components_that_swap_places_without_a_group_do_not_count_as_changed():
    """Two blocks of benchmarks carry nearly the same variance, so that groups decide the order."""
    generator = np.random.default_rng(0)
    factors = generator.standard_normal((60, 2))
    scores = np.repeat(factors, 3, axis=1) + 0.4 * generator.standard_normal((60, 6))
    groups = np.arange(60) % 10
    analysis = analyse_components(scores, groups=groups)
    places = {
        int(
            np.abs(
                principal_components(estimate_moments(scores[groups != group])).eigenvectors.T
                @ analysis.components.eigenvectors[:, 0]
            ).argmax()
        )
        for group in range(10)
    }
    assert places == {0, 1}
    congruences = replicated_congruences(analysis)
    assert (np.median(congruences, axis=0)[:2] > 0.9).all()
    assert (analysis.ability.estimation[:, :2] < 1).all()


def test_congruences_equal_those_of_refits_by_hand():
    scores = draw(np.random.default_rng(11), 40, 0.0)
    groups = np.arange(40) % 7
    found = replicated_congruences(analyse_components(scores, groups=groups))
    _, full = np.linalg.eigh(np.corrcoef(scores.T))
    for group in range(7):
        _, without = np.linalg.eigh(np.corrcoef(scores[groups != group].T))
        # The first two are far from the others, and from each other.
        expected = np.abs((full * without).sum(axis=0))[::-1][:2]
        np.testing.assert_allclose(found[group, :2], expected, atol=1e-10)


def test_a_component_that_explains_nothing_has_no_congruence():
    scores = draw(np.random.default_rng(12), 30, 0.0)
    scores[:, 5] = scores[:, 0] + scores[:, 1]
    found = replicated_congruences(analyse_components(scores, groups=np.arange(30) % 6))
    assert np.isnan(found[:, 5]).all()
    assert (found[:, :5] > 0).all()


def test_signs_do_not_depend_on_the_direction_of_the_decomposition():
    scores = draw(np.random.default_rng(3), 40, 0.1)
    flipped = analyse_components(scores[::-1])
    analysis = analyse_components(scores)
    np.testing.assert_allclose(
        flipped.components.eigenvectors, analysis.components.eigenvectors, atol=1e-6
    )


# Models as the unit, and lineages of one to five models, whose labels are any numbers.
@pytest.mark.parametrize("groups", [None, 7 * (np.arange(30) % 11 % 9)], ids=["models", "lineages"])
@pytest.mark.parametrize("missing_share", [0.0, 0.15])
def test_the_jackknife_equals_refits_by_hand(missing_share, groups):
    scores = draw(np.random.default_rng(4), 30, missing_share)
    analysis = analyse_components(scores, groups=groups)
    labels = np.arange(30) if groups is None else groups
    names = np.unique(labels)
    count = len(names)
    assert analysis.group_count == count
    replicates = [principal_components(estimate_moments(scores[labels != name])) for name in names]
    ratios = np.array([replicate.explained_variance_ratio[:2] for replicate in replicates])
    logits = np.log(ratios / (1 - ratios))
    errors = np.sqrt((count - 1) / count * ((logits - logits.mean(axis=0)) ** 2).sum(axis=0))
    centre = analysis.components.explained_variance_ratio[:2]
    margin = stats.t.ppf(0.975, count - 1) * errors
    low = 1 / (1 + np.exp(-(np.log(centre / (1 - centre)) - margin)))
    # Replicates stop at a tolerance that costs their spread a thousandth.
    np.testing.assert_allclose(analysis.ratio.low[:2], low, rtol=1e-3)

    first = np.array(
        [
            replicate.loadings[:, 0] * np.sign(replicate.loadings[:, 0].sum())
            for replicate in replicates
        ]
    )
    z = np.arctanh(first)
    errors = np.sqrt((count - 1) / count * ((z - z.mean(axis=0)) ** 2).sum(axis=0))
    margin = stats.t.ppf(0.975, count - 1) * errors
    high = np.tanh(np.arctanh(analysis.components.loadings[:, 0]) + margin)
    np.testing.assert_allclose(analysis.loading.high[:, 0], high, rtol=1e-3)

    # Abilities on the first two components, which no replicate swaps; signs by the panel's.
    turned = []
    for name in names:
        moments = estimate_moments(scores[labels != name])
        replicate = principal_components(moments)
        products = (replicate.eigenvectors * analysis.components.eigenvectors).sum(axis=0)
        filled = conditional_scores(scores, moments)
        turned.append((abilities(replicate, filled) * np.sign(products))[:, :2])
    spread = ((np.array(turned) - np.mean(turned, axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(
        analysis.ability.estimation[:, :2], np.sqrt((count - 1) / count * spread), rtol=5e-3
    )
    np.testing.assert_allclose(
        replicated_abilities(scores, analysis)[:, :, :2], turned, rtol=0, atol=1e-3
    )


# What 200 and 80 intervals of 95% cover lies within these with 99.8% probability (binomial).
# Models are left out in groups, each of which costs a fit; a group moves the moments so far that
# replicates may stop early.
@pytest.mark.slow(seconds=3)
@pytest.mark.parametrize(
    ("missing_share", "repetitions", "group_count"), [(0.0, 200, 20), (0.15, 80, 10)]
)
def test_intervals_cover_the_truth_as_often_as_they_say(missing_share, repetitions, group_count):
    generator = np.random.default_rng(20241219)
    ratio_hits, loading_hits, ratio_errors = [], [], []
    truth = TRUTH.explained_variance_ratio[:2]
    for _ in range(repetitions):
        analysis = analyse_components(
            draw(generator, 40, missing_share),
            groups=np.arange(40) % group_count,
            replicate_tolerance=1e-4,
        )
        ratio = analysis.ratio
        ratio_hits.append((ratio.low[:2] <= truth) & (truth <= ratio.high[:2]))
        ratio_errors.append(analysis.components.explained_variance_ratio[:2] - truth)
        # A component of the draw may point the other way than the truth's.
        turned = np.sign((analysis.components.eigenvectors * TRUTH.eigenvectors).sum(axis=0))
        expected = (TRUTH.loadings * turned)[:, :2]
        loading = analysis.loading
        loading_hits.append((loading.low[:, :2] <= expected) & (expected <= loading.high[:, :2]))
    # The truth is 95%; two points are granted to 40 models being few.
    lowest = stats.binom.ppf(0.001, repetitions, 0.93) / repetitions
    assert (np.mean(ratio_hits, axis=0) >= lowest).all(), np.mean(ratio_hits, axis=0)
    assert (np.mean(loading_hits, axis=0) >= lowest - 0.03).all(), np.mean(loading_hits, axis=0)
    assert 0.92 <= np.mean(loading_hits) <= 0.985, np.mean(loading_hits)
    # Sampling spreads eigenvalues: the bias is there and small against the standard error.
    bias = np.mean(ratio_errors, axis=0)
    assert (np.abs(bias) < np.std(ratio_errors, axis=0)).all()


def test_standard_errors_are_the_spread_over_panels():
    generator = np.random.default_rng(5)
    groups = np.arange(60) % 20
    analyses = [analyse_components(draw(generator, 60, 0.0), groups=groups) for _ in range(150)]
    spread = np.std([a.components.explained_variance_ratio[0] for a in analyses])
    stated = np.mean([a.ratio.standard_error[0] for a in analyses])
    assert stated == pytest.approx(spread, rel=0.2)


def test_item_error_is_the_spread_over_measurements():
    generator = np.random.default_rng(6)
    scores = draw(generator, 60, 0.0)
    errors = generator.uniform(0.002, 0.01, scores.shape)
    analysis = analyse_components(scores, errors)
    positions = []
    for _ in range(400):
        noisy = scores + generator.standard_normal(scores.shape) * errors
        components = analysis.components
        standardised = (noisy - components.mean) / components.standard_deviation
        positions.append(standardised @ components.eigenvectors)
    np.testing.assert_allclose(np.std(positions, axis=0), analysis.ability.item, rtol=0.2)


def test_missing_cells_make_an_ability_uncertain():
    scores = draw(np.random.default_rng(7), 60, 0.0)
    complete = analyse_components(scores)
    scores[10, :3] = np.nan
    scores[20, 5] = np.nan
    analysis = analyse_components(scores)
    assert (complete.ability.missing == 0).all()
    assert (np.delete(analysis.ability.missing, [10, 20], axis=0) == 0).all()
    assert analysis.ability.missing[10, 0] > analysis.ability.missing[20, 0] > 0
    assert (analysis.ability.total >= analysis.ability.missing).all()


def test_the_analysis_is_repeatable_to_the_last_bit():
    scores = draw(np.random.default_rng(8), 50, 0.1)
    one, other = analyse_components(scores), analyse_components(scores.copy())
    assert np.array_equal(one.ability.total, other.ability.total)
    assert np.array_equal(one.loading.low, other.loading.low)


def test_a_replicate_that_fails_leaves_estimates_without_an_error():
    scores = draw(np.random.default_rng(9), 12, 0.0)
    scores[1:, 2] = 0.5
    analysis = analyse_components(scores)
    assert np.isfinite(analysis.abilities).all()
    assert [replicate is None for replicate in analysis.replicates] == [True] + 11 * [False]
    for uncertainty in (analysis.ratio, analysis.loading):
        assert np.isnan(uncertainty.standard_error).all()
        assert np.isnan(uncertainty.low).all()
    assert np.isnan(analysis.ability.total).all()
    assert np.isnan(replicated_abilities(scores, analysis)[0]).all()
    assert np.isnan(replicated_congruences(analysis)[0]).all()


@pytest.mark.parametrize(
    ("row_count", "group_count"), [(3, 3), (12, 2), (12, 1)], ids=["3 rows", "2 groups", "1 group"]
)
def test_too_few_rows_or_groups_leave_estimates_without_an_error(row_count, group_count):
    scores = draw(np.random.default_rng(9), row_count, 0.0)
    analysis = analyse_components(scores, groups=np.arange(row_count) % group_count)
    assert analysis.replicates == ()
    assert np.isfinite(analysis.components.loadings).all()
    assert np.isnan(analysis.ratio.standard_error).all()
    assert np.isnan(analysis.loading.low).all()
    assert np.isnan(analysis.ability.total).all()


def test_scores_that_do_not_determine_components_are_an_error():
    scores = draw(np.random.default_rng(9), 12, 0.0)
    with pytest.raises(InsufficientDataError, match="2 rows of scores: at least 3"):
        analyse_components(scores[:2])
    scores[3, 1] = np.inf
    with pytest.raises(EstimationError, match="row 3 has the score inf"):
        analyse_components(scores)
