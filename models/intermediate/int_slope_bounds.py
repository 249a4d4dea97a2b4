"""Slope bounds: the slopes that undisclosed compute leaves possible, by its smallest share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.estimation.bounded_points import bounded_points, intervals_of
from models.estimation.lineage_lines import (
    bound_quantiles,
    least_squares_slopes,
    lineage_errors,
)
from models.estimation.slope_bounds import bound_slopes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection

    from models.estimation.bounded_points import BoundedPoints

COLUMNS = {
    "panel_id": "string",
    "target_kind": "string",
    "target": "string",
    "budget_language": "string",
    "smallest_share": "float64",
    "model_count": "int32",
    "known_model_count": "int32",
    "unbounded_model_count": "int32",
    "lineage_count": "int32",
    "slope_low": "float64",
    "slope_high": "float64",
    "slope_low_standard_error": "float64",
    "slope_high_standard_error": "float64",
    "slope_ci_low": "float64",
    "slope_ci_high": "float64",
}
"""Columns of the table and their pandas types, whether or not there are rows."""


def rows_of(points: BoundedPoints, smallest_shares: Sequence[float]) -> pd.DataFrame:
    """A row per smallest share and target of one panel and language."""
    low, high, values, lineage_count, columns = intervals_of(points, smallest_shares)
    # What a bound does when a lineage is left out is, to first order, what the line through its
    # extreme positions does: at an extreme, the bound does not depend on the positions (envelope
    # theorem; Milgrom and Segal 2002, Econometrica 70(2):583-601).
    x = bound_slopes(low, high, values[0]).x
    slope, floor = least_squares_slopes(x, values[0])
    replicates = np.stack([least_squares_slopes(x, value).slope for value in values[1:]])
    errors = lineage_errors(slope, replicates, np.stack([lineage_count] * 2), floor)
    low_error, high_error = errors.standard_error
    quantile = bound_quantiles(
        slope[1] - slope[0], np.maximum(low_error, high_error), lineage_count
    )
    return pd.DataFrame(
        columns
        | {
            "slope_low": slope[0],
            "slope_high": slope[1],
            "slope_low_standard_error": low_error,
            "slope_high_standard_error": high_error,
            "slope_ci_low": slope[0] - quantile * low_error,
            "slope_ci_high": slope[1] + quantile * high_error,
        }
    ).astype(COLUMNS)


def slope_bounds(
    points: pd.DataFrame, replicates: pd.DataFrame, smallest_shares: Sequence[float]
) -> pd.DataFrame:
    """Rows of all panels and languages, with the columns of `COLUMNS`; see `bounded_points`."""
    tables = [rows_of(part, smallest_shares) for part in bounded_points(points, replicates)]
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    return pd.concat(tables, ignore_index=True) if tables else empty


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all bounds; see `slope_bounds`."""
    dbt.config(materialized="table")
    return slope_bounds(
        dbt.ref("int_bounded_points").df(),
        dbt.ref("int_bounded_replicates").df(),
        dbt.config.meta_get("smallest_shares"),
    )
