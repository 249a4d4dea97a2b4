"""Censored fits: lines by interval-censored likelihood, by the smallest undisclosed share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.estimation.bounded_points import bounded_points, intervals_of
from models.estimation.censored_fits import fit_censored_lines
from models.estimation.lineage_lines import lineage_errors, p_values, t_quantiles

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
    "slope": "float64",
    "slope_standard_error": "float64",
    "slope_ci_low": "float64",
    "slope_ci_high": "float64",
    "p_value": "float64",
    "intercept": "float64",
    "residual_standard_deviation": "float64",
    "log_likelihood": "float64",
    "is_floored": "boolean",
}
"""Columns of the table and their pandas types, whether or not there are rows."""


def rows_of(points: BoundedPoints, smallest_shares: Sequence[float]) -> pd.DataFrame:
    """A row per smallest share and target of one panel and language."""
    low, high, values, lineage_count, columns = intervals_of(points, smallest_shares)
    fits = fit_censored_lines(low, high, values)
    errors = lineage_errors(fits.slope, fits.replicates, lineage_count, fits.information_error)
    half_width = t_quantiles(lineage_count) * errors.standard_error
    is_unknown = np.isnan(errors.standard_error)
    return pd.DataFrame(
        columns
        | {
            "slope": fits.slope,
            "slope_standard_error": errors.standard_error,
            "slope_ci_low": fits.slope - half_width,
            "slope_ci_high": fits.slope + half_width,
            "p_value": p_values(fits.slope, errors),
            "intercept": fits.intercept,
            "residual_standard_deviation": fits.standard_deviation,
            "log_likelihood": fits.log_likelihood,
            "is_floored": pd.arrays.BooleanArray(errors.is_floored, is_unknown),
        }
    ).astype(COLUMNS)


def censored_fits(
    points: pd.DataFrame, replicates: pd.DataFrame, smallest_shares: Sequence[float]
) -> pd.DataFrame:
    """Rows of all panels and languages, with the columns of `COLUMNS`; see `bounded_points`."""
    tables = [rows_of(part, smallest_shares) for part in bounded_points(points, replicates)]
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    return pd.concat(tables, ignore_index=True) if tables else empty


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all fits; see `censored_fits`."""
    dbt.config(materialized="table")
    return censored_fits(
        dbt.ref("int_bounded_points").df(),
        dbt.ref("int_bounded_replicates").df(),
        dbt.config.meta_get("smallest_shares"),
    )
