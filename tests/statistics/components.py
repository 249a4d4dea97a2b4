"""Components: intervals of shares, loadings and abilities, on panels of the size of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from models.estimation.component_analysis import analyse_components
from models.estimation.missing_data import Moments
from models.estimation.principal_components import principal_components
from tests.statistics import designs
from tests.statistics.checking import MANY, SHARES, USUAL, Intervals, Promise, Row, row
from tests.statistics.processes import Process, scores

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.statistics.designs import PanelDesign

COMPONENTS = (1, 2)
"""The leading ones: the others' eigenvalues are too close for a truth that a draw is held to."""

TOLERANCE = 1e-4
"""Of replicates, as in the tests of the estimates: where cells are missing, EM stops earlier."""


def rows(
    design: PanelDesign, process: Process, generator: np.random.Generator, repetitions: int
) -> list[Row]:
    """A row for each quantity and component.

    A repetition has one share of each component, but as many loadings as benchmarks and as many
    abilities as models, which are not independent: it is asked for one of them, in turn.
    """
    counts = (design.lineage_count, design.effective_lineage_count)
    return [
        row(
            design.name,
            process.name,
            f"{quantity} {component}",
            promise(design, quantity),
            counts,
            found,
        )
        for (quantity, component), found in intervals(
            design, process, generator, repetitions
        ).items()
    ]


def promise(design: PanelDesign, quantity: str) -> Promise:
    if design.name == designs.MANY:
        return MANY
    return SHARES if quantity == "share" else USUAL


def intervals(
    design: PanelDesign, process: Process, generator: np.random.Generator, repetitions: int
) -> dict[tuple[str, int], Intervals]:
    """By quantity and component: estimate and margin on the interval's scale, the truth, width."""
    p = len(design.correlation)
    truth = principal_components(Moments(np.zeros(p), design.correlation, 1))
    found: dict[tuple[str, int], list[tuple[float, float, float, float]]] = {}
    for i in range(repetitions):
        complete = scores(generator, design, process, 1)[0]
        drawn = np.where(design.observed, complete, np.nan)
        analysis = analyse_components(drawn, groups=design.lineages, replicate_tolerance=TOLERANCE)
        quantile = float(stdtrit(analysis.group_count - 1, 0.975))
        benchmark, model = i % p, i % len(drawn)
        for component in COMPONENTS:
            k = component - 1
            vector = truth.eigenvectors[:, k]
            sign = np.sign(analysis.components.eigenvectors[:, k] @ vector)
            share = analysis.ratio
            found.setdefault(("share", component), []).append(
                _on_scale(
                    _logit,
                    analysis.components.explained_variance_ratio[k],
                    share.low[k],
                    share.high[k],
                    truth.explained_variance_ratio[k],
                )
            )
            loading = analysis.loading
            found.setdefault(("loading", component), []).append(
                _on_scale(
                    np.arctanh,
                    analysis.components.loadings[benchmark, k],
                    loading.low[benchmark, k],
                    loading.high[benchmark, k],
                    sign * truth.loadings[benchmark, k],
                )
            )
            # The truth is of all scores, seen or not; scores without error have none of their own.
            margin = quantile * analysis.ability.total[model, k]
            found.setdefault(("ability", component), []).append(
                (
                    analysis.abilities[model, k],
                    margin,
                    sign * float(complete[model] @ vector),
                    2.0 * margin,
                )
            )
    return {key: Intervals(*np.array(values).T) for key, values in found.items()}


def _on_scale(
    forward: Callable[[float], float], estimate: float, low: float, high: float, truth: float
) -> tuple[float, float, float, float]:
    """Estimate, half width and truth on the scale that the interval was made on, and its width."""
    margin = (forward(high) - forward(low)) / 2.0
    return forward(estimate), margin, forward(truth), high - low


def _logit(ratio: float) -> float:
    return float(np.log(ratio) - np.log1p(-ratio))
