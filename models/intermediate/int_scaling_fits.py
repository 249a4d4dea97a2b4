"""Scaling fits: every target of every panel on the compute of every language, by all methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.estimation.cluster_robust import Replicates, fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.errors import EstimationError
from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.random_intercepts import fit_lineage_random_intercepts
from models.estimation.scaling import fit_ols

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from models.estimation.scaling import ScalingFit

    Floats = NDArray[np.float64]

TARGET = ["target_kind", "target"]
FIT = ["panel_id", "budget_language"]
KEY = ["panel_id", *TARGET, "budget_language"]

ESTIMATES = {
    "slope": "slope",
    "slope_standard_error": "slope_standard_error",
    "slope_ci_low": "slope_ci_low",
    "slope_ci_high": "slope_ci_high",
    "intercept": "intercept",
    "pearson": "pearson",
    "r_squared": "r_squared",
    "p_value": "p_value",
    "residual_standard_deviation": "residual_standard_deviation",
    "log10_train_flop_min": "x_min",
    "log10_train_flop_max": "x_max",
    "log10_train_flop_mean": "x_mean",
    "log10_train_flop_sum_of_squares": "x_sum_of_squares",
    "t_quantile": "t_quantile",
    "degrees_of_freedom": "degrees_of_freedom",
    "effective_lineage_count": "effective_lineage_count",
    "largest_lineage_leverage": "largest_lineage_leverage",
    "intra_lineage_correlation": "intra_lineage_correlation",
    "is_floored": "is_floored",
}
"""Columns of estimates, and the fields of a fit that they hold."""

COLUMNS = {
    **dict.fromkeys([*KEY, "method"], "string"),
    **dict.fromkeys(["model_count", "lineage_count"], "int32"),
    **dict.fromkeys(ESTIMATES, "float64"),
    "is_floored": "bool",
}
"""Columns of the table and their pandas types, whether or not there are rows."""


def scaling_fits(points: pd.DataFrame, replicates: pd.DataFrame) -> pd.DataFrame:
    """Fits of all targets in `points`, with the columns of `COLUMNS`; estimates may be NaN.

    `points` has one row per key (`KEY`) and model: model_id, lineage_id, log10_train_flop and
    value. `replicates` has one row per panel, target, left_out_lineage_id and model: the value as
    estimated without the lineage. Scores of benchmarks are what they are without any lineage and
    need none; a target of another kind that has none has no jackknife error.

    Raises EstimationError, naming the key and the model, if a number is not finite.
    """
    is_wrong = ~np.isfinite(points[["log10_train_flop", "value"]].to_numpy(np.float64)).all(axis=1)
    for wrong in points[is_wrong].itertuples():
        raise EstimationError(
            f"{' '.join(str(getattr(wrong, name)) for name in KEY)}: model {wrong.model_id!r} has "
            f"log10 compute {wrong.log10_train_flop} and value {wrong.value}: both must be finite "
            "numbers"
        )
    without = {
        str(panel_id): values_without_lineages(rows)
        for panel_id, rows in replicates.groupby("panel_id")
    }
    rows: list[tuple[Any, ...]] = []
    # Sorted, so that sums are taken in the same order however the rows arrived.
    for (panel_id, language), fit_points in points.sort_values("model_id").groupby(FIT):
        for targets, fits in fits_of_all(fit_points, without.get(str(panel_id))):
            for fit in fits:
                counts = fit.method, fit.model_count, fit.lineage_count
                estimates = zip(*(getattr(fit, field) for field in ESTIMATES.values()), strict=True)
                for (kind, target), estimate in zip(targets, estimates, strict=True):
                    rows.append((panel_id, kind, target, language, *counts, *estimate))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    return table.sort_values(KEY, kind="stable", ignore_index=True)


def values_without_lineages(replicates: pd.DataFrame) -> pd.DataFrame:
    """Replicates of a panel: a row per lineage left out and model, a column per target."""
    return replicates.pivot(
        index=["left_out_lineage_id", "model_id"], columns=TARGET, values="value"
    )


def fits_of_all(
    points: pd.DataFrame, without: pd.DataFrame | None
) -> Iterator[tuple[list[tuple[str, str]], list[ScalingFit]]]:
    """Targets of one panel and language with their fits by every method.

    Targets that the same models have are fitted together.
    """
    values = points.pivot(index="model_id", columns=TARGET, values="value")
    models = points.drop_duplicates("model_id").set_index("model_id").loc[values.index]
    is_known = values.notna().to_numpy()
    patterns, number_of_target = np.unique(is_known, axis=1, return_inverse=True)
    for number, has_value in enumerate(patterns.T):
        chosen = values.loc[has_value, number_of_target == number]
        fit_models = models[has_value]
        arguments = (
            fit_models["log10_train_flop"].to_numpy(np.float64),
            chosen.to_numpy(np.float64),
            fit_models["lineage_id"].to_numpy(str),
        )
        replicates = replicates_of(chosen, arguments[2], without)
        yield (
            chosen.columns.to_list(),
            [
                fit_ols(*arguments),
                fit_lineage_jackknife(*arguments, replicates=replicates),
                fit_lineage_cr2(*arguments),
                fit_lineage_fixed_effects(*arguments),
                fit_lineage_random_intercepts(*arguments),
            ],
        )


def replicates_of(
    values: pd.DataFrame, lineage_ids: NDArray[np.str_], without: pd.DataFrame | None
) -> Replicates | None:
    """`values` (models, targets) without each lineage of the panel; NaN where not replicated.

    None if all of them are scores.
    """
    is_score = values.columns.get_level_values("target_kind") == "benchmark"
    if is_score.all():
        return None
    replicated: Any = [] if without is None else without.index.unique("left_out_lineage_id")
    left_out = np.union1d(lineage_ids, np.asarray(replicated, dtype=str))
    shape = (len(left_out), *values.shape)
    estimates = np.full(shape, np.nan)
    if without is not None:
        index = pd.MultiIndex.from_product([left_out, values.index])
        estimates = without.reindex(index=index, columns=values.columns).to_numpy().reshape(shape)
    return Replicates(left_out, np.where(is_score, values.to_numpy(), estimates))


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all fits; see `scaling_fits`."""
    dbt.config(materialized="table")
    points: pd.DataFrame = dbt.ref("int_scaling_points").df()
    replicates: pd.DataFrame = dbt.ref("int_ability_replicates").df()
    return scaling_fits(points, replicates)
