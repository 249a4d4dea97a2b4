"""Principal components of each panel: variances, loadings and abilities, in one long table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.estimation.component_analysis import analyse_components
from models.estimation.errors import EstimationError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

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


def panel_components(panel_id: str, panel: pd.DataFrame) -> pd.DataFrame:
    """Rows of one panel, with the columns of `COLUMNS`.

    `panel` has one row per model and benchmark with a score: model_id, benchmark_id, score (0-1)
    and standard_error (null if unknown). Raises EstimationError, naming the panel, if it has too
    few scores.
    """
    matrix = panel.pivot(index="model_id", columns="benchmark_id", values="score")
    matrix = matrix.sort_index(axis=0).sort_index(axis=1)
    errors = panel.pivot(index="model_id", columns="benchmark_id", values="standard_error")
    errors = errors.reindex(index=matrix.index, columns=matrix.columns)
    benchmark_ids, model_ids = list(matrix.columns), list(matrix.index)
    try:
        analysis = analyse_components(
            matrix.to_numpy(np.float64), errors.to_numpy(np.float64), labels=benchmark_ids
        )
    except EstimationError as error:
        raise type(error)(f"panel {panel_id!r}: {error}") from error

    components = analysis.components
    count = len(benchmark_ids)
    index = np.arange(1, count + 1, dtype=np.int32)
    variances = pd.DataFrame(
        {
            "quantity": "variance",
            "component_index": index,
            "estimate": components.eigenvalues,
            "explained_variance_ratio": components.explained_variance_ratio,
            "cumulative_ratio": components.cumulative_ratio,
            "standard_error": analysis.ratio.standard_error,
            "ci_low": analysis.ratio.low,
            "ci_high": analysis.ratio.high,
        }
    )
    # Matrices have one component per column; read row by row, the component changes fastest.
    loadings = pd.DataFrame(
        {
            "quantity": "loading",
            "component_index": np.tile(index, count),
            "benchmark_id": np.repeat(benchmark_ids, count),
            "estimate": components.loadings.ravel(),
            "eigenvector": components.eigenvectors.ravel(),
            "standard_error": analysis.loading.standard_error.ravel(),
            "ci_low": analysis.loading.low.ravel(),
            "ci_high": analysis.loading.high.ravel(),
        }
    )
    abilities = pd.DataFrame(
        {
            "quantity": "ability",
            "component_index": np.tile(index, len(model_ids)),
            "model_id": np.repeat(model_ids, count),
            "estimate": analysis.abilities.ravel(),
            "standard_error": analysis.ability.total.ravel(),
            "estimation_standard_error": analysis.ability.estimation.ravel(),
            "item_standard_error": analysis.ability.item.ravel(),
            "missing_standard_error": analysis.ability.missing.ravel(),
        }
    )
    rows = pd.concat([variances, loadings, abilities], ignore_index=True)
    return rows.assign(panel_id=panel_id).reindex(columns=list(COLUMNS)).astype(COLUMNS)


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all panels; see `panel_components`."""
    dbt.config(materialized="table")
    scores: pd.DataFrame = dbt.ref("int_panel_scores").df()
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    tables = [
        panel_components(str(panel_id), panel)
        for panel_id, panel in scores.groupby("panel_id", sort=True)
    ]
    return pd.concat(tables, ignore_index=True) if tables else empty
