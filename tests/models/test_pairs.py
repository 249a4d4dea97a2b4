"""Effects over pairs are the textbook's, and their intervals cover what they say."""

import numpy as np
import pytest
from scipy import stats

from models.estimation.errors import EstimationError
from models.estimation.pairs import paired_effect

LAYOUT = [
    # Number of children of each developer (rows) from each lineage (columns), as published.
    [1, 0, 0, 0, 0, 0],
    [1, 0, 0, 0, 0, 0],
    [0, 1, 0, 0, 0, 0],
    [1, 0, 2, 0, 1, 0],
    [2, 1, 0, 0, 0, 0],
    [3, 1, 2, 3, 0, 1],
]
DEVELOPER, LINEAGE = np.repeat(
    np.argwhere(np.array(LAYOUT)), np.array(LAYOUT)[np.array(LAYOUT) > 0], axis=0
).T


def test_children_of_one_unit_count_once():
    effect = paired_effect([1.0, 3.0, 8.0, 0.0, 1.0], [*"aaabc"], [*"xxyzz"])
    # Units: a and x (1, 3), a and y (8), b and z (0), c and z (1).
    assert effect.estimate == pytest.approx((2 + 8 + 0 + 1) / 4)
    assert (effect.pair_count, effect.unit_count) == (5, 4)
    assert (effect.lineage_count, effect.developer_count) == (3, 3)
    assert effect.degrees_of_freedom == 2


def delete_one_variance(estimates):
    count = len(estimates)
    return (count - 1) / count * ((estimates - np.mean(estimates)) ** 2).sum()


@pytest.mark.parametrize(
    ("values", "largest"), [([0.0, 0.0, 0.0, 0.0, 6.0], 2), ([1.0, 2.0, 3.0, 6.0, 2.0], 0)]
)
def test_a_mean_has_the_largest_of_three_variances_worked_by_hand(values, largest):
    # One child per unit; lineages a (1st, 2nd), b (3rd, 4th), c (5th), developers x (1st, 3rd),
    # y (2nd, 4th), z (5th).
    first, second, third, fourth, fifth = values
    by_lineage = delete_one_variance(
        [
            (third + fourth + fifth) / 3,
            (first + second + fifth) / 3,
            (first + second + third + fourth) / 4,
        ]
    )
    by_developer = delete_one_variance(
        [
            (second + fourth + fifth) / 3,
            (first + third + fifth) / 3,
            (first + second + third + fourth) / 4,
        ]
    )
    by_unit = delete_one_variance((sum(values) - np.array(values)) / 4)
    effect = paired_effect(values, [*"aabbc"], [*"xyxyz"])
    assert effect.lineage_standard_error**2 == pytest.approx(by_lineage)
    assert effect.developer_standard_error**2 == pytest.approx(by_developer)
    assert effect.unit_standard_error**2 == pytest.approx(by_unit)
    candidates = [by_lineage, by_developer, by_lineage + by_developer - by_unit]
    assert np.argmax(candidates) == largest
    error = np.sqrt(candidates[largest])
    assert effect.standard_error == pytest.approx(error)
    mean, margin = sum(values) / 5, stats.t.ppf(0.975, 2) * error
    assert effect.estimate == pytest.approx(mean)
    assert (effect.ci_low, effect.ci_high) == pytest.approx((mean - margin, mean + margin))
    assert effect.p_value == pytest.approx(2 * stats.t.sf(mean / error, 2))


def test_an_error_is_never_below_that_by_lineages_or_by_developers():
    generator = np.random.default_rng(3)
    smaller = 0
    for _ in range(200):
        effect = paired_effect(generator.normal(size=len(LINEAGE)), LINEAGE, DEVELOPER)
        larger = max(effect.lineage_standard_error, effect.developer_standard_error)
        assert effect.standard_error >= larger - 1e-12
        three_terms = (
            effect.lineage_standard_error**2
            + effect.developer_standard_error**2
            - effect.unit_standard_error**2
        )
        smaller += three_terms < larger**2
    assert smaller > 20


def test_a_slope_and_its_replicates_equal_weighted_polyfits():
    generator = np.random.default_rng(5)
    doses, values = generator.normal(size=(2, len(LINEAGE)))
    unit = LINEAGE * 10 + DEVELOPER
    weights = np.array([1 / (unit == one).sum() for one in unit])

    def slope(kept):
        # polyfit multiplies residuals, not their squares, by its weights.
        return np.polyfit(doses[kept], values[kept], 1, w=np.sqrt(weights[kept]))[0]

    def variance(groups):
        return delete_one_variance(np.array([slope(groups != one) for one in np.unique(groups)]))

    effect = paired_effect(values, LINEAGE, DEVELOPER, doses)
    assert effect.estimate == pytest.approx(slope(np.full(len(unit), True)))
    for groups, error in (
        (LINEAGE, effect.lineage_standard_error),
        (DEVELOPER, effect.developer_standard_error),
        (unit, effect.unit_standard_error),
    ):
        assert error == pytest.approx(np.sqrt(variance(groups)))


def test_the_order_of_pairs_and_a_shift_of_values_change_nothing():
    generator = np.random.default_rng(7)
    values = generator.normal(size=len(LINEAGE))
    order = generator.permutation(len(values))
    effect = paired_effect(values, LINEAGE, DEVELOPER)
    shuffled = paired_effect(values[order] + 1e6, LINEAGE[order], DEVELOPER[order])
    assert shuffled.estimate - 1e6 == pytest.approx(effect.estimate, abs=1e-8)
    assert shuffled.standard_error == pytest.approx(effect.standard_error, abs=1e-8)


@pytest.mark.parametrize("of_lineages", [0.0, 1.0])
@pytest.mark.parametrize("of_developers", [0.0, 1.0])
@pytest.mark.parametrize("has_doses", [False, True])
def test_intervals_cover_the_true_effect(of_lineages, of_developers, has_doses):
    generator = np.random.default_rng(11)
    simulation_count, truth, covered = 600, 0.7, 0
    doses = np.log10(generator.uniform(5, 200, size=len(LINEAGE))) if has_doses else None
    for _ in range(simulation_count):
        # Developers and lineages shift the mean; where there are doses, the slope.
        shift = (
            of_lineages * generator.normal(size=6)[LINEAGE]
            + of_developers * generator.normal(size=6)[DEVELOPER]
        )
        noise = generator.normal(size=len(LINEAGE))
        values = (
            truth + shift + noise
            if doses is None
            else (truth + shift) * (doses - doses.mean()) + 0.5 * noise
        )
        effect = paired_effect(values, LINEAGE, DEVELOPER, doses)
        covered += effect.ci_low <= truth <= effect.ci_high
    assert 0.925 <= covered / simulation_count <= 0.99


def test_where_too_few_lineages_or_developers_are_left_there_is_no_interval():
    effect = paired_effect([1.0, 2.0, 4.0, 5.0], [*"abcd"], [*"xxyy"])
    assert effect.estimate == 3.0
    assert effect.lineage_standard_error > 0
    assert np.isnan([effect.standard_error, effect.ci_low, effect.ci_high, effect.p_value]).all()
    assert np.isnan(paired_effect([1.0], ["a"], ["x"]).lineage_standard_error)


def test_without_two_doses_there_is_no_slope():
    one_dose = paired_effect([1.0, 2.0, 4.0], [*"abc"], [*"xyz"], [0.1, 0.1, 0.1])
    assert np.isnan([one_dose.estimate, one_dose.standard_error]).all()
    assert np.isnan(paired_effect([1.0, 2.0], [*"ab"], [*"xy"], [0.0, 1.0]).estimate)
    # Without the lineage that has another dose.
    two = paired_effect([1.0, 2.0, 4.0, 3.0], [*"abcd"], [*"wxyz"], [0.0, 0.0, 0.0, 1.0])
    assert two.estimate == pytest.approx(3.0 - 7 / 3)
    assert np.isnan([two.lineage_standard_error, two.standard_error]).all()


@pytest.mark.parametrize(
    ("values", "lineages", "doses", "said"),
    [
        ([], [], None, "one of each per pair"),
        ([1.0, 2.0], ["a"], None, "2 values, 1 lineages"),
        ([1.0], ["a"], [1.0, 2.0], "and 2 doses"),
        ([1.0, np.nan], ["a", "b"], None, "pair 1: its value nan"),
        ([1.0, 2.0], ["a", "b"], [np.inf, 1.0], "pair 0: its value 1.0 and dose inf"),
    ],
)
def test_what_is_no_pair_is_refused(values, lineages, doses, said):
    with pytest.raises(EstimationError, match=said):
        paired_effect(values, lineages, ["x"] * len(lineages), doses)
