"""Designs: how many models of which lineages there are, at which compute, as the warehouse has it.

Nothing is typed in: a panel that gains a model or a lineage changes its designs with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

MANY = "many lineages"
"""Name of the designs that no panel has."""

KEPT_COMPONENTS = 3
"""What a population's benchmarks share; the rest of each is its own."""


@dataclass(frozen=True, slots=True)
class SlopeDesign:
    """Where a slope is fitted: n models of G lineages at their compute."""

    name: str
    lineages: np.ndarray
    """(n,) numbers from 0."""
    log10_train_flop: np.ndarray
    """(n,)."""

    @property
    def lineage_count(self) -> int:
        return len(np.unique(self.lineages))

    @property
    def effective_lineage_count(self) -> float:
        centred = self.log10_train_flop - self.log10_train_flop.mean()
        return effective_count(np.bincount(self.lineages, weights=centred) ** 2)


@dataclass(frozen=True, slots=True)
class PanelDesign:
    """Where components and correlations are estimated: n models of G lineages, p benchmarks."""

    name: str
    lineages: np.ndarray
    """(n,) numbers from 0."""
    observed: np.ndarray
    """(n, p), false where a score is missing."""
    correlation: np.ndarray
    """(p, p), of the population that the panel is taken to be drawn from."""

    @property
    def lineage_count(self) -> int:
        return len(np.unique(self.lineages))

    @property
    def effective_lineage_count(self) -> float:
        return effective_count(np.bincount(self.lineages) ** 2.0)


@dataclass(frozen=True, slots=True)
class AbilityDesign:
    """Where abilities have slopes: models of a panel and of the reference panel, complete."""

    name: str
    lineages: np.ndarray
    """(n,) numbers from 0, of all models."""
    in_panel: np.ndarray
    """(n,)."""
    in_reference: np.ndarray
    """(n,)."""
    log10_train_flop: np.ndarray
    """(n,), NaN where it is not known or nothing."""
    correlation: np.ndarray
    """(p, p), of the population."""
    slope: float
    """Of each ability, in its standard deviations per standard deviation of compute."""


def effective_count(variances: np.ndarray) -> float:
    """How many lineages of equal weight tell as much as lineages of unequal weight.

    Carter, Schnepel and Steigerwald 2017, Review of Economics and Statistics 99(4):698-709:
    G / (1 + squared coefficient of variation) of what each lineage adds to the variance of the
    estimate, in their worst case, where the models of a lineage have one error.
    """
    return float(variances.sum() ** 2 / (variances**2).sum())


def slope_designs(warehouse: Path) -> list[SlopeDesign]:
    """A design for each set of models that some target of a panel has compute for, in a language.

    Of the targets with missing scores, which differ little, the one with fewest models. Where no
    line can be drawn, with fewer than three models or two lineages, there is no design.
    """
    points = _read(
        warehouse,
        "select panel_id, budget_language, target, model_id, lineage_id, log10_train_flop"
        " from marts.fct_scaling_points order by all",
    )
    designs = []
    for (panel, language), of_language in points.groupby(["panel_id", "budget_language"]):
        sizes = of_language.groupby("target").size()
        for name, target in (("", sizes.idxmax()), (", fewest", sizes.idxmin())):
            rows = of_language[of_language["target"] == target]
            if name and len(rows) == sizes.max():
                continue
            if len(rows) < 3 or rows["lineage_id"].nunique() < 2:
                continue
            designs.append(
                SlopeDesign(
                    f"{panel} {language}{name}",
                    _numbers(rows["lineage_id"]),
                    rows["log10_train_flop"].to_numpy(),
                )
            )
    return designs


def panel_designs(warehouse: Path) -> list[PanelDesign]:
    """A design for each panel, with the correlations that its leading components imply."""
    scores = _read(
        warehouse,
        "select panel_id, model_id, lineage_id, benchmark_id"
        " from intermediate.int_panel_scores order by all",
    )
    loadings = _read(
        warehouse,
        "select panel_id, benchmark_id, component_index, loading from marts.fct_component_loadings"
        f" where component_index <= {KEPT_COMPONENTS} order by all",
    )
    designs = []
    for panel, rows in scores.groupby("panel_id"):
        cells = rows.assign(is_observed=True).pivot(
            index=["lineage_id", "model_id"], columns="benchmark_id", values="is_observed"
        )
        shared = (
            loadings[loadings["panel_id"] == panel]
            .pivot(index="benchmark_id", columns="component_index", values="loading")
            .loc[cells.columns]
            .to_numpy()
        )
        correlation = shared @ shared.T
        np.fill_diagonal(correlation, 1.0)
        designs.append(
            PanelDesign(
                str(panel),
                _numbers(cells.index.get_level_values("lineage_id").to_series()),
                cells.notna().to_numpy(),
                correlation,
            )
        )
    return designs


MANY_LINEAGES, THEIR_MODELS = 60, 4
"""What is many, so that intervals cover as often as theory says; no panel has it."""


def ability_designs(warehouse: Path) -> list[AbilityDesign]:
    """Designs of each complete panel that has the reference's benchmarks, in one language.

    That is the language in which most models have compute: of the others less can be told.
    """
    (reference,) = _read(warehouse, "select panel_id from seeds.panels where is_reference")[
        "panel_id"
    ]
    models = _read(
        warehouse,
        "select panel_id, model_id, any_value(lineage_id) as lineage_id,"
        " list(benchmark_id order by benchmark_id)::varchar as benchmarks"
        " from intermediate.int_panel_scores group by all order by all",
    )
    points = _read(
        warehouse,
        "select distinct panel_id, budget_language, model_id, log10_train_flop"
        " from marts.fct_scaling_points order by all",
    )
    correlations = {panel.name: panel.correlation for panel in panel_designs(warehouse)}
    benchmarks = set(models.loc[models["panel_id"] == reference, "benchmarks"])
    designs = []
    for panel, of_panel in models.groupby("panel_id"):
        if set(of_panel["benchmarks"]) != benchmarks:
            continue
        rows = points[points["panel_id"] == panel]
        language = rows.groupby("budget_language").size().idxmax()
        compute = rows[rows["budget_language"] == language].set_index("model_id")
        of_both = models[models["panel_id"].isin([panel, reference])]
        drawn = of_both.drop_duplicates("model_id").set_index("model_id").sort_index()
        designs += [
            AbilityDesign(
                f"{panel} {language}, {name}",
                _numbers(drawn["lineage_id"]),
                drawn.index.isin(of_panel["model_id"]),
                drawn.index.isin(models.loc[models["panel_id"] == reference, "model_id"]),
                compute["log10_train_flop"].reindex(drawn.index).to_numpy(),
                correlations[str(panel)],
                slope,
            )
            for name, slope in (("growth", 0.5), ("none", 0.0))
        ]
    return designs


def slopes_of_many_lineages() -> SlopeDesign:
    """Lineages of equal size, whose models and whose means are spread alike over compute."""
    steps = np.linspace(-1.0, 1.0, MANY_LINEAGES)[:, None] + np.linspace(-1.0, 1.0, THEIR_MODELS)
    lineages = np.repeat(np.arange(MANY_LINEAGES), THEIR_MODELS)
    return SlopeDesign(MANY, lineages, 22.0 + steps.ravel())


def panel_of_many_lineages(panel: PanelDesign) -> PanelDesign:
    """A panel of the same population, complete."""
    lineages = np.repeat(np.arange(MANY_LINEAGES), THEIR_MODELS)
    observed = np.ones((len(lineages), len(panel.correlation)), dtype=bool)
    return PanelDesign(MANY, lineages, observed, panel.correlation)


def _read(warehouse: Path, query: str) -> pd.DataFrame:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        return connection.execute(query).df()


def _numbers(lineage_ids: pd.Series) -> np.ndarray:
    return np.unique(lineage_ids.to_numpy(str), return_inverse=True)[1]
