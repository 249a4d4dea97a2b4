"""Principal components of each panel and what follows from them, in one long table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from models.estimation.anchoring import anchor, anchored_abilities, rotation_onto, turned
from models.estimation.component_analysis import analyse_components
from models.estimation.errors import ConvergenceError, EstimationError, InsufficientDataError
from models.estimation.jackknife import Jackknife
from models.estimation.missing_data import conditional_scores, missing_cells, projection_variance
from models.estimation.principal_components import abilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from models.estimation.anchoring import Anchor
    from models.estimation.component_analysis import ComponentAnalysis

    Floats = NDArray[np.float64]

COLUMNS = {
    "panel_id": "string",
    "quantity": "string",
    "component_index": "int32",
    "benchmark_id": "string",
    "model_id": "string",
    "left_out_lineage_id": "string",
    "estimate": "float64",
    "eigenvector": "float64",
    "explained_variance_ratio": "float64",
    "cumulative_ratio": "float64",
    "standard_error": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "estimation_standard_error": "float64",
    "item_standard_error": "float64",
    "missing_standard_error": "float64",
}
"""Columns of the table and their pandas types, whether or not there are rows."""


class Panel(NamedTuple):
    """Scores of one panel as matrices, models and benchmarks in the order of their ids."""

    model_ids: list[str]
    lineage_ids: list[str]
    """(n,) of the models."""
    benchmark_ids: list[str]
    scores: Floats
    """(n, p), 0 to 1; NaN where missing."""
    standard_errors: Floats
    """(n, p), in the unit of the scores; NaN where unknown."""


class Reference(NamedTuple):
    """The panel onto whose leading components all panels are projected."""

    benchmark_ids: list[str]
    anchor: Anchor
    without: dict[str, Anchor | None]
    """Without each lineage of the reference panel, turned to `anchor`; None: undetermined."""


def panel_of(rows: pd.DataFrame) -> Panel:
    """The panel of `rows`, one per model and benchmark with a score.

    Columns: model_id, lineage_id, benchmark_id, score (0-1) and standard_error (null if unknown).
    """
    scores = rows.pivot(index="model_id", columns="benchmark_id", values="score")
    scores = scores.sort_index(axis=0).sort_index(axis=1)
    errors = rows.pivot(index="model_id", columns="benchmark_id", values="standard_error")
    errors = errors.reindex(index=scores.index, columns=scores.columns)
    lineages = rows.drop_duplicates("model_id").set_index("model_id")["lineage_id"]
    return Panel(
        model_ids=list(scores.index),
        lineage_ids=list(lineages.reindex(scores.index)),
        benchmark_ids=list(scores.columns),
        scores=scores.to_numpy(np.float64),
        standard_errors=errors.to_numpy(np.float64),
    )


def analysis_of(panel_id: str, panel: Panel) -> ComponentAnalysis | None:
    """The components of a panel by lineages; None if its scores do not determine them.

    Raises EstimationError, naming the panel, of a score that is not finite.
    """
    try:
        return analyse_components(
            panel.scores,
            panel.standard_errors,
            groups=panel.lineage_ids,
            labels=panel.benchmark_ids,
        )
    except (InsufficientDataError, ConvergenceError):
        return None
    except EstimationError as error:
        raise type(error)(f"panel {panel_id!r}: {error}") from error


def reference_of(panel: Panel, analysis: ComponentAnalysis, component_count: int) -> Reference:
    """The leading `component_count` components of the reference panel as an anchor."""
    full = anchor(analysis.components, component_count)
    without: dict[str, Anchor | None] = {}
    for lineage_id, replicate in zip(analysis.group_labels, analysis.replicates, strict=False):
        without[str(lineage_id)] = None
        if replicate is not None:
            one = anchor(replicate.components, full.loadings.shape[1])
            if one.loadings.shape == full.loadings.shape:
                rotation = rotation_onto(one.loadings, full.loadings)
                without[str(lineage_id)] = turned(one, rotation)
    return Reference(panel.benchmark_ids, full, without)


def variance_rows(analysis: ComponentAnalysis) -> pd.DataFrame:
    """A row per component."""
    components = analysis.components
    return pd.DataFrame(
        {
            "quantity": "variance",
            "component_index": indexes(len(components.eigenvalues)),
            "estimate": components.eigenvalues,
            "explained_variance_ratio": components.explained_variance_ratio,
            "cumulative_ratio": components.cumulative_ratio,
            "standard_error": analysis.ratio.standard_error,
            "ci_low": analysis.ratio.low,
            "ci_high": analysis.ratio.high,
        }
    )


# Matrices have one component per column; read row by row, the component changes fastest.


def loading_rows(analysis: ComponentAnalysis, benchmark_ids: Sequence[str]) -> pd.DataFrame:
    """A row per benchmark and component."""
    components, count = analysis.components, len(benchmark_ids)
    return pd.DataFrame(
        {
            "quantity": "loading",
            "component_index": np.tile(indexes(count), count),
            "benchmark_id": np.repeat(benchmark_ids, count),
            "estimate": components.loadings.ravel(),
            "eigenvector": components.eigenvectors.ravel(),
            "standard_error": analysis.loading.standard_error.ravel(),
            "ci_low": analysis.loading.low.ravel(),
            "ci_high": analysis.loading.high.ravel(),
        }
    )


def position_rows(
    quantity: str, model_ids: Sequence[str], positions: Floats, **columns: Floats | str
) -> pd.DataFrame:
    """A row per model and component of the (n, k) `positions`, with `columns` in their shape."""
    count = positions.shape[1]
    return pd.DataFrame(
        {
            "quantity": quantity,
            "component_index": np.tile(indexes(count), len(model_ids)),
            "model_id": np.repeat(np.asarray(model_ids, dtype=object), count),
            "estimate": positions.ravel(),
            **{
                name: values if isinstance(values, str) else values.ravel()
                for name, values in columns.items()
            },
        }
    )


def ability_rows(analysis: ComponentAnalysis, model_ids: Sequence[str]) -> pd.DataFrame:
    """A row per model and component."""
    ability = analysis.ability
    return position_rows(
        "ability",
        model_ids,
        analysis.abilities,
        standard_error=ability.total,
        estimation_standard_error=ability.estimation,
        item_standard_error=ability.item,
        missing_standard_error=ability.missing,
    )


def ability_replicate_rows(panel: Panel, analysis: ComponentAnalysis) -> list[pd.DataFrame]:
    """A row per lineage, model and component: its ability without the lineage.

    Models of the lineage are projected too. Values are NaN where the rest of the panel does not
    determine the components.
    """
    cells = missing_cells(panel.scores)
    tables = []
    for lineage_id, replicate in zip(analysis.group_labels, analysis.replicates, strict=False):
        positions = np.full(analysis.abilities.shape, np.nan)
        if replicate is not None:
            completed = conditional_scores(panel.scores, replicate.moments, cells=cells)
            positions = abilities(replicate.components, completed)
        tables.append(
            position_rows(
                "ability_replicate",
                panel.model_ids,
                positions,
                left_out_lineage_id=str(lineage_id),
            )
        )
    return tables


def anchored_rows(
    panel: Panel, analysis: ComponentAnalysis, reference: Reference
) -> list[pd.DataFrame]:
    """Anchored abilities and, without each lineage of the panel, their replicates.

    A lineage that is left out of the panel is left out of the reference too, so that the anchor's
    own uncertainty counts. None if the panel lacks a benchmark of the reference.
    """
    if not set(reference.benchmark_ids) <= set(panel.benchmark_ids):
        return []
    columns = [panel.benchmark_ids.index(one) for one in reference.benchmark_ids]
    cells, moments = missing_cells(panel.scores), analysis.moments
    completed = conditional_scores(panel.scores, moments, cells=cells)
    positions = anchored_abilities(reference.anchor, completed[:, columns])
    jackknife = Jackknife(positions)
    tables = []
    for lineage_id, replicate in zip(analysis.group_labels, analysis.replicates, strict=False):
        one = reference.without.get(str(lineage_id), reference.anchor)
        without = np.full(positions.shape, np.nan)
        if replicate is not None and one is not None:
            completed = conditional_scores(panel.scores, replicate.moments, cells=cells)
            without = anchored_abilities(one, completed[:, columns])
        jackknife.add(without[None])
        tables.append(
            position_rows(
                "anchored_replicate",
                panel.model_ids,
                without,
                left_out_lineage_id=str(lineage_id),
            )
        )
    if not tables:
        jackknife.add_undetermined()
    directions = np.zeros((len(panel.benchmark_ids), positions.shape[1]))
    # From the panel's standard deviations, in which the variances are told, to the reference's.
    scale = moments.standard_deviation[columns] / reference.anchor.standard_deviation
    directions[columns] = reference.anchor.weights * scale[:, None]
    variance = projection_variance(moments, directions, cells, panel.standard_errors)
    estimation = jackknife.uncertainty().standard_error
    return [
        position_rows(
            "anchored_ability",
            panel.model_ids,
            positions,
            standard_error=np.sqrt(estimation**2 + variance.item + variance.missing),
            estimation_standard_error=estimation,
            item_standard_error=np.sqrt(variance.item),
            missing_standard_error=np.sqrt(variance.missing),
        ),
        *tables,
    ]


def indexes(count: int) -> NDArray[np.int32]:
    """(count,) of components, from 1."""
    return np.arange(1, count + 1, dtype=np.int32)


def undetermined_rows(panel: Panel) -> list[pd.DataFrame]:
    """The rows of a panel whose scores do not determine its components: nothing but nulls."""
    count = len(panel.benchmark_ids)
    unknown = np.full((len(panel.model_ids), count), np.nan)
    return [
        pd.DataFrame({"quantity": "variance", "component_index": indexes(count)}),
        pd.DataFrame(
            {
                "quantity": "loading",
                "component_index": np.tile(indexes(count), count),
                "benchmark_id": np.repeat(panel.benchmark_ids, count),
            }
        ),
        position_rows("ability", panel.model_ids, unknown),
    ]


def components_of_panels(
    scores: pd.DataFrame, reference_panel_id: str | None, anchored_component_count: int
) -> pd.DataFrame:
    """Rows of every panel in `scores`, which has `panel_id` and the columns of `panel_of`.

    `reference_panel_id` is the panel whose leading `anchored_component_count` components are the
    anchor of all; without it, or if its components are not determined, nothing is anchored.
    """
    panels = {
        str(panel_id): panel_of(rows) for panel_id, rows in scores.groupby("panel_id", sort=True)
    }
    analyses = {panel_id: analysis_of(panel_id, panel) for panel_id, panel in panels.items()}
    reference = None
    if reference_panel_id is not None and analyses.get(reference_panel_id) is not None:
        reference = reference_of(
            panels[reference_panel_id], analyses[reference_panel_id], anchored_component_count
        )
    tables = [pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)]
    for panel_id, panel in panels.items():
        analysis = analyses[panel_id]
        if analysis is None:
            rows = undetermined_rows(panel)
        else:
            rows = [
                variance_rows(analysis),
                loading_rows(analysis, panel.benchmark_ids),
                ability_rows(analysis, panel.model_ids),
                *ability_replicate_rows(panel, analysis),
            ]
            if reference is not None:
                rows += anchored_rows(panel, analysis, reference)
        table = pd.concat(rows, ignore_index=True).assign(panel_id=panel_id)
        tables.append(table.reindex(columns=list(COLUMNS)).astype(COLUMNS))
    return pd.concat(tables, ignore_index=True)


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all panels; see `components_of_panels`."""
    dbt.config(materialized="table")
    scores: pd.DataFrame = dbt.ref("int_panel_scores").df()
    panels: pd.DataFrame = dbt.ref("stg_panels").df()
    references = list(panels.loc[panels["is_reference"], "panel_id"])
    if len(references) > 1:
        raise EstimationError(
            f"panels.csv declares {len(references)} references ({', '.join(references)}): "
            "set is_reference to true for one panel only"
        )
    return components_of_panels(
        scores,
        references[0] if references else None,
        int(dbt.config.meta_get("anchored_component_count")),
    )
