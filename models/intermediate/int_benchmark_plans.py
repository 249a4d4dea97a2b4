"""Benchmark plans: which benchmarks to ask of a model so that the rest of a panel's can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.estimation.benchmark_planning import plan_benchmarks
from models.estimation.errors import EstimationError, InsufficientDataError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from models.estimation.benchmark_planning import BenchmarkPlans

    Floats = NDArray[np.float64]

COLUMNS = {
    "panel_id": "string",
    "objective": "string",
    "quantity": "string",
    "benchmark_count": "int32",
    "model_count": "int32",
    "lineage_count": "int32",
    "ridge": "float64",
    "root_mean_square_error": "float64",
    "standardised_error": "float64",
    "explained_share": "float64",
    "worst_lineage_id": "string",
    "worst_lineage_error": "float64",
    "optimistic_standardised_error": "float64",
    "benchmark_id": "string",
    "asked_position": "float64",
    "selection_share": "float64",
}
"""Columns of the table and their pandas types, whether or not there are rows."""


def plan_rows(plans: BenchmarkPlans, lineage_ids: list[str]) -> pd.DataFrame:
    """A row per number of benchmarks asked; `lineage_ids` sorted."""
    return pd.DataFrame(
        {
            "quantity": "plan",
            "benchmark_count": np.arange(1, len(plans.order) + 1),
            "ridge": plans.ridge,
            "root_mean_square_error": plans.error,
            "standardised_error": plans.standardised_error,
            "explained_share": plans.explained_share,
            "worst_lineage_id": np.array(lineage_ids, dtype=object)[plans.worst_lineage],
            "worst_lineage_error": plans.worst_lineage_error,
            "optimistic_standardised_error": plans.optimistic_standardised_error,
        }
    )


def member_rows(plans: BenchmarkPlans, benchmark_ids: list[str]) -> pd.DataFrame:
    """A row per number of benchmarks asked and benchmark, asked or not."""
    sizes = np.arange(1, len(plans.order) + 1)
    positions = np.full(len(benchmark_ids), np.nan)
    positions[plans.order] = sizes
    return pd.DataFrame(
        {
            "quantity": "member",
            "benchmark_count": np.repeat(sizes, len(benchmark_ids)),
            "benchmark_id": np.tile(benchmark_ids, len(sizes)),
            "asked_position": np.where(positions <= sizes[:, None], positions, np.nan).ravel(),
            "root_mean_square_error": plans.benchmark_errors.ravel(),
            "selection_share": plans.selection_shares.ravel(),
        }
    )


def panel_plans(panel_id: str, rows: pd.DataFrame, item_counts: pd.Series) -> list[pd.DataFrame]:
    """Plans of one panel by both objectives; `rows` have model_id, lineage_id, benchmark_id, score.

    Models that miss a score are left out: what they would have had cannot be compared with what is
    predicted. Plans are null where too few models or lineages remain. Raises EstimationError,
    naming the panel, for scores that are no numbers.
    """
    wide = rows.pivot(index=["lineage_id", "model_id"], columns="benchmark_id", values="score")
    wide = wide.sort_index(axis=0).sort_index(axis=1)
    complete = wide.dropna()
    lineages = complete.index.get_level_values("lineage_id")
    lineage_ids, benchmark_ids = sorted(set(lineages)), list(wide.columns)
    objectives = {"benchmarks": None, "items": item_counts[benchmark_ids].to_numpy(np.float64)}
    tables = []
    for objective, costs in objectives.items():
        try:
            plans = plan_benchmarks(
                complete.to_numpy(np.float64), lineages, costs=costs, labels=benchmark_ids
            )
        except InsufficientDataError:
            sizes = np.arange(1, len(benchmark_ids))
            found = [pd.DataFrame({"quantity": "plan", "benchmark_count": sizes})]
        except EstimationError as error:
            raise type(error)(f"panel {panel_id!r}: {error}") from error
        else:
            found = [plan_rows(plans, lineage_ids), member_rows(plans, benchmark_ids)]
        table = pd.concat(found, ignore_index=True).assign(
            panel_id=panel_id,
            objective=objective,
            model_count=len(complete),
            lineage_count=len(lineage_ids),
        )
        tables.append(table.reindex(columns=list(COLUMNS)).astype(COLUMNS))
    return tables


def plans_of_panels(scores: pd.DataFrame, benchmarks: pd.DataFrame) -> pd.DataFrame:
    """Plans of every panel in `scores`, which has `panel_id` and the columns of `panel_plans`."""
    item_counts = benchmarks.set_index("benchmark_id")["item_count"]
    tables = [pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)]
    for panel_id, rows in scores.groupby("panel_id", sort=True):
        tables += panel_plans(str(panel_id), rows, item_counts)
    return pd.concat(tables, ignore_index=True)


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all panels; see `plans_of_panels`."""
    dbt.config(materialized="table")
    scores: pd.DataFrame = dbt.ref("int_panel_scores").df()
    benchmarks: pd.DataFrame = dbt.ref("int_benchmarks").df()
    return plans_of_panels(scores, benchmarks)
