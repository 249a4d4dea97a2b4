"""Anchored abilities: equal to other code and to refits by hand, whatever way components point."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.stats import special_ortho_group
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from models.estimation.anchoring import (
    analyse_anchored,
    reference_of,
    rotation_onto,
    tucker_congruence,
)
from models.estimation.component_analysis import ComponentAnalysis, analyse_components
from models.estimation.missing_data import Moments, conditional_scores, estimate_moments
from models.estimation.principal_components import principal_components
from tests.models.test_components import draw

ALL = np.arange(6)
LINEAGES = np.array([f"lineage {i}" for i in np.arange(40) % 11 % 7])


def analysed(scores: np.ndarray, lineages: np.ndarray = LINEAGES) -> ComponentAnalysis:
    return analyse_components(scores, groups=lineages[: len(scores)])


@pytest.fixture(scope="module")
def scores() -> np.ndarray:
    return draw(np.random.default_rng(0), 40, 0.0)


def test_two_benchmarks_by_hand():
    """Scores 1, 2, 3, 4 and 2, 1, 4, 3: r = 3/5, and component 1 is (z1 + z2) / root 2."""
    scores = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 4.0], [4.0, 3.0]])
    analysis = analyse_components(scores, groups=[1, 2, 3, 4])
    anchored = analyse_anchored(scores, None, analysis, reference_of(analysis, 1), np.arange(2))
    # Both have the mean 2.5 and the variance 1.25; lambda is 1.6.
    expected = (scores - 2.5).sum(axis=1) / np.sqrt(1.25) / np.sqrt(2) / np.sqrt(1.6)
    np.testing.assert_allclose(anchored.abilities[:, 0], expected, rtol=1e-12)


def test_the_references_own_abilities_are_those_of_scikit_learn_whitened(scores):
    analysis = analysed(scores)
    anchored = analyse_anchored(scores, None, analysis, reference_of(analysis, 3), ALL)
    np.testing.assert_allclose(
        anchored.abilities,
        analysis.abilities[:, :3] / np.sqrt(analysis.components.eigenvalues[:3]),
        rtol=1e-12,
    )
    witness = PCA(3, whiten=True).fit_transform(StandardScaler().fit_transform(scores))
    # Whitened to variance 1 dividing by n - 1; ours divide by n. Signs are free.
    np.testing.assert_allclose(
        np.abs(anchored.abilities), np.abs(witness) * np.sqrt(40 / 39), atol=1e-10
    )
    np.testing.assert_allclose(anchored.abilities.std(axis=0), 1, rtol=1e-12)


def test_replicates_equal_refits_by_hand_and_so_does_their_error(scores):
    """The panel is half of the reference and more: what is left out of it is left out of both."""
    reference_scores, reference_lineages = scores[:30], LINEAGES[:30]
    panel_scores, panel_lineages = scores[10:], LINEAGES[10:].copy()
    panel_lineages[-4:] = "only here"
    analysis = analyse_components(panel_scores, groups=panel_lineages)
    reference = reference_of(analyse_components(reference_scores, groups=reference_lineages), 2)
    errors = np.full(panel_scores.shape, 0.01)
    anchored = analyse_anchored(panel_scores, errors, analysis, reference, ALL)

    def refit(kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean, deviation = reference_scores[kept].mean(axis=0), reference_scores[kept].std(axis=0)
        values, vectors = np.linalg.eigh(np.corrcoef(reference_scores[kept].T))
        loadings = (vectors * np.sqrt(values))[:, ::-1][:, :2]
        rotation = orthogonal_procrustes(loadings, reference.anchor.loadings)[0]
        loadings = loadings @ rotation
        standardised = (panel_scores - mean) / deviation
        # Least squares of a model's scores on the loadings, model by model.
        return np.linalg.lstsq(loadings, standardised.T, rcond=None)[0].T, loadings, deviation

    names = np.unique(panel_lineages)
    by_hand = np.array([refit(reference_lineages != name)[0] for name in names])
    np.testing.assert_allclose(anchored.replicates, by_hand, atol=1e-10)
    np.testing.assert_allclose(
        by_hand[list(names).index("only here")], anchored.abilities, atol=1e-10
    )

    count = len(names)
    variance = (count - 1) / count * ((by_hand - by_hand.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(anchored.uncertainty.estimation, np.sqrt(variance), rtol=1e-8)
    _, loadings, deviation = refit(np.ones(30, dtype=bool))
    weights = np.linalg.pinv(loadings).T
    item = ((weights * 0.01 / deviation[:, None]) ** 2).sum(axis=0)
    np.testing.assert_allclose(
        anchored.uncertainty.item, np.broadcast_to(np.sqrt(item), (30, 2)), rtol=1e-8
    )
    np.testing.assert_allclose(anchored.uncertainty.total, np.sqrt(variance + item), rtol=1e-8)


def test_a_missing_cell_is_at_its_mean_given_the_others_in_its_own_panel(scores):
    reference = reference_of(analysed(scores[:20]), 2)
    panel_scores = scores.copy()
    panel_scores[5, 2] = np.nan
    analysis = analysed(panel_scores)
    anchored = analyse_anchored(panel_scores, None, analysis, reference, ALL)
    moments, seen = analysis.moments, [0, 1, 3, 4, 5]
    slopes = np.linalg.solve(
        moments.covariance[np.ix_(seen, seen)], moments.covariance[np.ix_(seen, [2])]
    )[:, 0]
    filled = panel_scores[5].copy()
    filled[2] = moments.mean[2] + slopes @ (filled[seen] - moments.mean[seen])
    anchor = reference.anchor
    expected = (filled - anchor.mean) / anchor.standard_deviation @ anchor.weights
    np.testing.assert_allclose(anchored.abilities[5], expected, rtol=1e-10)
    left = moments.covariance[2, 2] - slopes @ moments.covariance[seen, 2]
    spread = np.abs(anchor.weights[2]) / anchor.standard_deviation[2] * np.sqrt(left)
    np.testing.assert_allclose(anchored.uncertainty.missing[5], spread, rtol=1e-8)
    assert (np.delete(anchored.uncertainty.missing, 5, axis=0) == 0).all()


def test_replicates_fill_missing_cells_by_the_moments_without_the_lineage(scores):
    panel_scores = draw(np.random.default_rng(1), 40, 0.1)
    analysis, reference = analysed(panel_scores), reference_of(analysed(scores[:20]), 2)
    anchored = analyse_anchored(panel_scores, None, analysis, reference, ALL)
    for index, name in enumerate(analysis.group_labels):
        without = estimate_moments(panel_scores[name != LINEAGES])
        anchor = reference.without[name]
        filled = conditional_scores(panel_scores, without)
        expected = (filled - anchor.mean) / anchor.standard_deviation @ anchor.weights
        # Replicates stop at a tolerance.
        np.testing.assert_allclose(anchored.replicates[index], expected, atol=1e-4)
        moved = np.abs(
            expected
            - (conditional_scores(panel_scores, analysis.moments) - anchor.mean)
            / anchor.standard_deviation
            @ anchor.weights
        )
        assert moved.max() > 0.01


def test_a_models_anchored_ability_is_the_same_in_every_panel_that_has_its_scores(scores):
    reference = reference_of(analysed(scores[:25]), 3)
    small, large = scores[:25], np.column_stack([scores[:, 3:], scores[:, ::-1][:, 3:]])
    one = analyse_anchored(small, None, analysed(small), reference, ALL)
    # The same benchmarks in another order, beside more models.
    columns = np.array([5, 4, 3, 0, 1, 2])
    other = analyse_anchored(large, None, analysed(large), reference, columns)
    np.testing.assert_allclose(other.abilities[:25], one.abilities, atol=1e-10)


def test_the_rotation_is_scipys():
    generator = np.random.default_rng(1)
    for count in (1, 2, 3):
        loadings, target = generator.standard_normal((2, 19, count))
        ours = rotation_onto(loadings, target)
        np.testing.assert_allclose(ours, orthogonal_procrustes(loadings, target)[0], atol=1e-12)


def test_congruence_by_hand():
    """(1, 2) and (2, 1): 4 / 5; (1, 2) and (-2, -4): -1; nothing has none."""
    found = tucker_congruence(np.array([[1.0], [2.0]]), np.array([[2.0, -2.0, 0], [1.0, -4.0, 0]]))
    np.testing.assert_allclose(found[0, :2], [0.8, -1], rtol=1e-12)
    assert np.isnan(found[0, 2])


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1_000),
    rotation=st.integers(0, 1_000),
    signs=st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3),
)
def test_replicates_do_not_depend_on_how_their_components_are_turned(seed, rotation, signs):
    """Leading components without a lineage may swap, flip and mix: the anchor's decide."""
    scores = draw(np.random.default_rng(seed), 40, 0.0)
    analysis = analysed(scores)
    reference = reference_of(analysis, 3)
    turn = special_ortho_group.rvs(3, random_state=rotation) * signs
    for name in analysis.group_labels:
        one = reference.without[name]
        again = rotation_onto(one.loadings @ turn, reference.anchor.loadings)
        np.testing.assert_allclose(one.loadings @ turn @ again, one.loadings, atol=1e-10)
    flipped = [
        replace(
            replicate,
            components=replace(
                replicate.components,
                eigenvectors=replicate.components.eigenvectors * [*signs, 1, -1, 1],
            ),
        )
        for replicate in analysis.replicates
    ]
    other = reference_of(replace(analysis, replicates=tuple(flipped)), 3)
    for name in analysis.group_labels:
        np.testing.assert_allclose(
            other.without[name].weights, reference.without[name].weights, atol=1e-9
        )


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 1_000), missing=st.sampled_from([0.0, 0.05]))
def test_order_units_and_names_do_not_matter(seed, missing):
    generator = np.random.default_rng(seed)
    scores = draw(generator, 40, missing)
    analysis = analysed(scores)
    anchored = analyse_anchored(scores, None, analysis, reference_of(analysis, 2), ALL)
    rows, columns = generator.permutation(40), generator.permutation(6)
    mixed = (scores * generator.uniform(1, 100, 6) + generator.normal(size=6))[rows][:, columns]
    renamed = np.array([f"{40 - int(name.split()[1])}" for name in LINEAGES[rows]])
    again = analyse_components(mixed, groups=renamed)
    other = analyse_anchored(mixed, None, again, reference_of(again, 2), ALL)
    # EM stops at a tolerance.
    np.testing.assert_allclose(other.abilities, anchored.abilities[rows], atol=1e-5)
    np.testing.assert_allclose(
        other.uncertainty.estimation, anchored.uncertainty.estimation[rows], rtol=1e-3, atol=1e-4
    )


def test_fewer_components_than_asked_for_are_anchored_where_fewer_explain_anything():
    components = principal_components(Moments(np.zeros(2), np.ones((2, 2)), 1))
    analysis = analysed(draw(np.random.default_rng(0), 40, 0.0)[:, :2])
    reference = reference_of(replace(analysis, components=components), 2)
    assert reference.anchor.loadings.shape == (2, 1)
    # A replicate of another rank has no counterpart: it is undetermined, not cut to fit.
    assert reference_of(analysis, 5).anchor.loadings.shape == (2, 2)


def test_a_lineage_without_which_nothing_is_determined_leaves_no_error(scores):
    flat = scores.copy()
    flat[LINEAGES != "lineage 0", 3] = 0.5
    analysis = analysed(flat)
    reference = reference_of(analysis, 2)
    assert reference.without["lineage 0"] is None
    anchored = analyse_anchored(flat, None, analysis, reference, ALL)
    assert np.isfinite(anchored.abilities).all()
    assert np.isnan(anchored.replicates[0]).all()
    assert np.isfinite(anchored.replicates[1:]).all()
    assert np.isnan(anchored.uncertainty.estimation).all()
    assert np.isnan(anchored.uncertainty.total).all()


def test_two_lineages_leave_no_error(scores):
    analysis = analyse_components(scores, groups=np.arange(40) % 2)
    anchored = analyse_anchored(scores, None, analysis, reference_of(analysis, 2), ALL)
    assert anchored.replicates.shape == (0, 40, 2)
    assert np.isfinite(anchored.abilities).all()
    assert np.isnan(anchored.uncertainty.estimation).all()
