"""Slopes of abilities: intervals where the values are estimated too, on one panel and anchored.

The models of a panel and of the reference panel are drawn together; components, anchor, abilities
and their replicates are then estimated as in the warehouse, and the slope on compute with them.

The slope is that of the population's ability. A panel of few lineages knows neither its direction
nor its unit well: only the jackknife, which estimates both anew, promises to hold a slope that is
not 0. The other methods take abilities as known. Of a slope of 0, whose unit is nothing, they
promise what all do: it is what says whether an ability grows at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.estimation.anchoring import analyse_anchored, reference_of
from models.estimation.cluster_robust import Replicates, fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.component_analysis import analyse_components, replicated_abilities
from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.missing_data import Moments
from models.estimation.principal_components import principal_components
from tests.statistics.checking import USUAL, WIDE, Intervals, Promise, Row, row
from tests.statistics.components import COMPONENTS
from tests.statistics.processes import INDEPENDENT, Process, correlated

if TYPE_CHECKING:
    from models.estimation.scaling import ScalingFit
    from tests.statistics.designs import AbilityDesign


class Key(NamedTuple):
    """What is estimated, and how."""

    target: str
    method: str


def rows(
    design: AbilityDesign, process: Process, generator: np.random.Generator, repetitions: int
) -> list[Row]:
    """A row for each target and method."""
    found: dict[Key, list[ScalingFit]] = {}
    truths: dict[Key, list[float]] = {}
    for _ in range(repetitions):
        for key, fit, truth in one_draw(design, process, generator):
            found.setdefault(key, []).append(fit)
            truths.setdefault(key, []).append(truth)
    table = []
    for key, fits in found.items():
        width = np.array([float(fit.slope_ci_high - fit.slope_ci_low) for fit in fits])
        table.append(
            row(
                design.name,
                process.name,
                f"{key.target} {key.method}",
                promise(design, key.method, process),
                (fits[0].lineage_count, float(fits[0].effective_lineage_count)),
                Intervals(
                    estimate=np.array([float(fit.slope) for fit in fits]),
                    margin=width / 2.0,
                    truth=np.array(truths[key]),
                    width=width,
                ),
            )
        )
    return table


def promise(design: AbilityDesign, method: str, process: Process) -> Promise | None:
    """What the method promises of an ability that is estimated too."""
    if method == "ols_lineage_jackknife":
        return WIDE if process == INDEPENDENT else USUAL
    return None if design.slope else USUAL


def one_draw(
    design: AbilityDesign, process: Process, generator: np.random.Generator
) -> list[tuple[Key, ScalingFit, float]]:
    """Fits of one draw, with the slopes that they should hold."""
    p = len(design.correlation)
    truth = principal_components(Moments(np.zeros(p), design.correlation, 1))
    leading = truth.eigenvectors[:, : len(COMPONENTS)] * np.sqrt(
        truth.eigenvalues[: len(COMPONENTS)]
    )
    has_compute = ~np.isnan(design.log10_train_flop)
    x = np.where(has_compute, design.log10_train_flop, generator.standard_normal(len(has_compute)))
    known = design.log10_train_flop[has_compute]
    x[has_compute] = (known - known.mean()) / known.std()
    # Scores of a model are what compute says and the rest, which together have the population's
    # correlation: the part of compute is taken off the rest's.
    of_compute = design.slope * leading.sum(axis=1)
    rest = design.correlation - np.outer(of_compute, of_compute)
    drawn = np.outer(x, of_compute) + correlated(
        generator, design.lineages, process, 1, rest
    ).squeeze(axis=0)

    reference = analyse_components(
        drawn[design.in_reference], groups=design.lineages[design.in_reference]
    )
    scores = drawn[design.in_panel]
    lineages = design.lineages[design.in_panel]
    analysis = analyse_components(scores, groups=lineages)
    anchored = analyse_anchored(
        scores, None, analysis, reference_of(reference, len(COMPONENTS)), np.arange(p)
    )
    replicated = replicated_abilities(scores, analysis)
    chosen = has_compute[design.in_panel]
    arguments = x[design.in_panel][chosen]
    found = []
    for component in COMPONENTS:
        k = component - 1
        own_sign = np.sign(analysis.components.eigenvectors[:, k] @ truth.eigenvectors[:, k])
        anchor_sign = np.sign(reference.components.eigenvectors[:, k] @ truth.eigenvectors[:, k])
        root = np.sqrt(truth.eigenvalues[k])
        for target, values, without, slope in (
            ("component", analysis.abilities, replicated, own_sign * design.slope * root),
            ("anchored", anchored.abilities, anchored.replicates, anchor_sign * design.slope),
        ):
            y = values[chosen, k]
            replicates = Replicates(analysis.group_labels, without[:, chosen, k])
            for fit in (
                fit_lineage_jackknife(arguments, y, lineages[chosen], replicates=replicates),
                fit_lineage_cr2(arguments, y, lineages[chosen]),
                fit_lineage_fixed_effects(arguments, y, lineages[chosen]),
            ):
                found.append((Key(f"{target} {component}", fit.method), fit, float(slope)))
    return found
