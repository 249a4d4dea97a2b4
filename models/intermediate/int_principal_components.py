"""Principal components of each panel: variances, loadings and abilities, in one long table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from models.estimation.component_analysis import analyse_components
from models.estimation.errors import EstimationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from models.estimation.component_analysis import ComponentAnalysis

    Floats = NDArray[np.float64]

COLUMNS = {
    "panel_id": "string",
    "quantity": "string",
    "component_index": "int32",
    "benchmark_id": "string",
    "model_id": "string",
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
    benchmark_ids: list[str]
    scores: Floats
    """(n, p), 0 to 1; NaN where missing."""
    standard_errors: Floats
    """(n, p), in the unit of the scores; NaN where unknown."""


def panel_of(rows: pd.DataFrame) -> Panel:
    """The panel of `rows`, one per model and benchmark with a score.

    Columns: model_id, benchmark_id, score (0-1) and standard_error (null if unknown).
    """
    scores = rows.pivot(index="model_id", columns="benchmark_id", values="score")
    scores = scores.sort_index(axis=0).sort_index(axis=1)
    errors = rows.pivot(index="model_id", columns="benchmark_id", values="standard_error")
    errors = errors.reindex(index=scores.index, columns=scores.columns)
    return Panel(
        model_ids=list(scores.index),
        benchmark_ids=list(scores.columns),
        scores=scores.to_numpy(np.float64),
        standard_errors=errors.to_numpy(np.float64),
    )


def variance_rows(analysis: ComponentAnalysis) -> pd.DataFrame:
    """A row per component."""
    components = analysis.components
    return pd.DataFrame(
        {
            "quantity": "variance",
            "component_index": component_indexes(analysis),
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
    components, indexes = analysis.components, component_indexes(analysis)
    return pd.DataFrame(
        {
            "quantity": "loading",
            "component_index": np.tile(indexes, len(benchmark_ids)),
            "benchmark_id": np.repeat(benchmark_ids, len(indexes)),
            "estimate": components.loadings.ravel(),
            "eigenvector": components.eigenvectors.ravel(),
            "standard_error": analysis.loading.standard_error.ravel(),
            "ci_low": analysis.loading.low.ravel(),
            "ci_high": analysis.loading.high.ravel(),
        }
    )


def ability_rows(analysis: ComponentAnalysis, model_ids: Sequence[str]) -> pd.DataFrame:
    """A row per model and component."""
    ability, indexes = analysis.ability, component_indexes(analysis)
    return pd.DataFrame(
        {
            "quantity": "ability",
            "component_index": np.tile(indexes, len(model_ids)),
            "model_id": np.repeat(model_ids, len(indexes)),
            "estimate": analysis.abilities.ravel(),
            "standard_error": ability.total.ravel(),
            "estimation_standard_error": ability.estimation.ravel(),
            "item_standard_error": ability.item.ravel(),
            "missing_standard_error": ability.missing.ravel(),
        }
    )


def component_indexes(analysis: ComponentAnalysis) -> NDArray[np.int32]:
    """(p,) of the components, from 1."""
    return np.arange(1, len(analysis.components.eigenvalues) + 1, dtype=np.int32)


def panel_components(panel_id: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one panel, with the columns of `COLUMNS`; `rows` as in `panel_of`.

    Raises EstimationError, naming the panel, if it has too few scores.
    """
    panel = panel_of(rows)
    try:
        analysis = analyse_components(
            panel.scores, panel.standard_errors, labels=panel.benchmark_ids
        )
    except EstimationError as error:
        raise type(error)(f"panel {panel_id!r}: {error}") from error
    table = pd.concat(
        [
            variance_rows(analysis),
            loading_rows(analysis, panel.benchmark_ids),
            ability_rows(analysis, panel.model_ids),
        ],
        ignore_index=True,
    )
    return table.assign(panel_id=panel_id).reindex(columns=list(COLUMNS)).astype(COLUMNS)


def components_of_panels(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of every panel in `scores`, which has `panel_id` and the columns of `panel_of`."""
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    tables = [
        panel_components(str(panel_id), rows)
        for panel_id, rows in scores.groupby("panel_id", sort=True)
    ]
    return pd.concat(tables, ignore_index=True) if tables else empty


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all panels; see `components_of_panels`."""
    dbt.config(materialized="table")
    scores: pd.DataFrame = dbt.ref("int_panel_scores").df()
    return components_of_panels(scores)
