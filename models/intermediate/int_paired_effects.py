"""Paired effects: what further training changed, over pairs of a model and its parent."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from models.estimation.errors import EstimationError
from models.estimation.pairs import paired_effect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEY = ["estimand", "target_kind", "target"]

COLUMNS = {
    "estimand": "string",
    "target_kind": "string",
    "target": "string",
    "pair_count": "int32",
    "unit_count": "int32",
    "lineage_count": "int32",
    "developer_count": "int32",
    "estimate": "float64",
    "lineage_standard_error": "float64",
    "developer_standard_error": "float64",
    "unit_standard_error": "float64",
    "standard_error": "float64",
    "degrees_of_freedom": "int32",
    "ci_low": "float64",
    "ci_high": "float64",
    "p_value": "float64",
}
"""Columns of the table and their pandas types, whether or not there are rows."""


def paired_effects(values: pd.DataFrame) -> pd.DataFrame:
    """Effects of all keys (`KEY`) in `values`, with the columns of `COLUMNS`.

    `values` has one row per key and child: model_id, lineage_id, developer, value and dose, which
    is null in all rows of a key whose values are averaged. Raises EstimationError, naming the key,
    of a number that is not finite.
    """
    rows: list[dict[str, Any]] = []
    # Sorted, so that sums are taken in the same order however the rows arrived.
    for key, pairs in values.sort_values([*KEY, "model_id"]).groupby(KEY, sort=False):
        has_doses = bool(pairs["dose"].notna().any())
        try:
            effect = paired_effect(
                pairs["value"].to_numpy(),
                pairs["lineage_id"].to_numpy(str),
                pairs["developer"].to_numpy(str),
                pairs["dose"].to_numpy() if has_doses else None,
            )
        except EstimationError as error:
            raise type(error)(f"{' '.join(map(str, key))}: {error}") from error
        rows.append({**dict(zip(KEY, key, strict=True)), **asdict(effect)})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all effects; see `paired_effects`."""
    dbt.config(materialized="table")
    values: pd.DataFrame = dbt.ref("int_paired_values").df()
    return paired_effects(values)
