"""Errors of abilities and loadings over lineages: equal to those worked out without our code."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from models.estimation.component_analysis import analyse_components
from models.estimation.principal_components import component_signs

LINEAGES = np.repeat(np.arange(8), [5, 4, 4, 3, 3, 2, 2, 1])


def two_equal_pairs() -> np.ndarray:
    """(24, 4) scores of two pairs of benchmarks that are alike, the pairs equally so."""
    generator = np.random.default_rng(12)
    abilities = generator.standard_normal((len(LINEAGES), 2))
    noise = generator.standard_normal((len(LINEAGES), 4))
    return np.repeat(abilities, 2, axis=1) + 0.7 * noise


def components_of(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, descending, and eigenvectors, of whichever sign."""
    values, vectors = np.linalg.eigh(np.corrcoef(scores.T))
    return values[::-1], vectors[:, ::-1]


def nearest(vectors: np.ndarray, reference: np.ndarray) -> tuple[list[int], np.ndarray]:
    """The order and the signs in which `vectors` are nearest to `reference`, by trying all."""
    products = reference.T @ vectors
    order = max(
        (list(order) for order in permutations(range(len(vectors)))),
        key=lambda order: np.abs(products[range(len(order)), order]).sum(),
    )
    return order, np.sign(products[range(len(order)), order])


def jackknife_error(replicates: np.ndarray) -> np.ndarray:
    count = len(replicates)
    return np.sqrt((count - 1) * replicates.var(axis=0))


@pytest.fixture(scope="module")
def by_hand():
    """Abilities and loadings without each lineage, and how often order and signs had to change."""
    scores = two_equal_pairs()
    analysis = analyse_components(scores, groups=LINEAGES)
    abilities, loadings, swaps, flips = [], [], 0, 0
    for lineage in np.unique(LINEAGES):
        rest = scores[lineage != LINEAGES]
        values, vectors = components_of(rest)
        own = vectors * component_signs(vectors)
        order, signs = nearest(own, analysis.components.eigenvectors)
        swaps += order != sorted(order)
        flips += bool((signs < 0).any())
        vectors = own[:, order] * signs
        abilities.append((scores - rest.mean(axis=0)) / rest.std(axis=0) @ vectors)
        loadings.append(vectors * np.sqrt(values[order]))
    return analysis, np.array(abilities), np.array(loadings), swaps, flips


def test_the_example_has_components_that_swap_and_turn(by_hand):
    *_, swaps, flips = by_hand
    assert swaps > 0
    assert flips > 0


def test_the_error_of_an_ability_is_the_jackknife_over_lineages(by_hand):
    analysis, abilities, *_ = by_hand
    np.testing.assert_allclose(analysis.ability.estimation, jackknife_error(abilities), rtol=1e-9)


def test_intervals_of_loadings_have_a_degree_of_freedom_less_than_lineages(by_hand):
    analysis, _, loadings, *_ = by_hand
    margin = stats.t.ppf(0.975, len(loadings) - 1) * jackknife_error(np.arctanh(loadings))
    centre = np.arctanh(analysis.components.loadings)
    np.testing.assert_allclose(analysis.loading.low, np.tanh(centre - margin), rtol=1e-9)
    np.testing.assert_allclose(analysis.loading.high, np.tanh(centre + margin), rtol=1e-9)


def test_the_sum_of_the_first_component_decides_against_its_largest_entry():
    first, second = np.array([-0.8, 0.6, 0.5]), np.array([-0.7, 0.6, 0.3])
    assert component_signs(np.column_stack([first, second])).tolist() == [1, -1]
    assert component_signs(np.column_stack([-first, -second])).tolist() == [-1, 1]
