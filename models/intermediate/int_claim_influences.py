"""Influences: what claims rest on, estimated anew without each lineage and without each model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from models.estimation.cluster_robust import Replicates, fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.jackknife import FISHER_Z, Jackknife

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

COLUMNS = {
    "claim_id": "string",
    "panel_id": "string",
    "part_index": "int32",
    "method": "string",
    "left_out_kind": "string",
    "left_out_id": "string",
    "estimate": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "effective_lineage_count": "float64",
}
"""Columns of the table and their pandas types, whether or not there are rows."""


class Estimate(NamedTuple):
    """An estimate with its 95% interval; NaN where there is none."""

    method: str
    value: float
    low: float
    high: float
    effective_lineage_count: float


class Unit(NamedTuple):
    """What is left out."""

    kind: str
    id: str
    is_kept: NDArray[np.bool_]
    """(n,) of the models."""


def units_of(model_ids: NDArray[np.str_], lineage_ids: NDArray[np.str_]) -> Iterator[Unit]:
    """Each lineage and each model; a lineage of one model is that model."""
    for lineage_id in np.unique(lineage_ids):
        yield Unit("lineage", str(lineage_id), lineage_ids != lineage_id)
    for model_id, lineage_id in zip(model_ids, lineage_ids, strict=True):
        if (lineage_ids == lineage_id).sum() > 1:
            yield Unit("model", str(model_id), model_ids != model_id)


def slopes_without(
    points: pd.DataFrame, without: pd.DataFrame
) -> Iterator[tuple[Unit, list[Estimate]]]:
    """The methods that a slope has to pass, without each unit.

    `points` has a row per model: model_id, lineage_id, log10_train_flop and value. `without` has
    the value of each model when a lineage is left out of what the values are estimated from
    (left_out_lineage_id, model_id, value), and no row where values are scores. Where a lineage is
    left out here, the values are those without it, and are held in the jackknife of the others;
    where a model is, the values are those with it.
    """
    points = points.sort_values("model_id")
    model_ids, lineage_ids = (points[name].to_numpy(str) for name in ("model_id", "lineage_id"))
    compute, value = (points[name].to_numpy(np.float64) for name in ("log10_train_flop", "value"))
    replicated = without.pivot(index="left_out_lineage_id", columns="model_id", values="value")
    replicated = replicated.reindex(columns=model_ids)
    for unit in units_of(model_ids, lineage_ids):
        kept, values, replicates = unit.is_kept, value, None
        if unit.kind == "lineage" and unit.id in replicated.index:
            values = replicated.loc[unit.id].to_numpy(np.float64)
        elif unit.kind == "model" and len(replicated):
            replicates = Replicates(replicated.index.to_numpy(str), replicated.to_numpy()[:, kept])
        arguments = compute[kept], values[kept], lineage_ids[kept]
        if not np.isfinite(values[kept]).all():
            continue
        fits = (
            fit_lineage_jackknife(*arguments, replicates=replicates),
            fit_lineage_cr2(*arguments),
            fit_lineage_fixed_effects(*arguments),
        )
        yield (
            unit,
            [
                Estimate(
                    fit.method,
                    float(fit.slope),
                    float(fit.slope_ci_low),
                    float(fit.slope_ci_high),
                    float(fit.effective_lineage_count),
                )
                for fit in fits
            ],
        )


def correlations_without(pairs: pd.DataFrame) -> Iterator[tuple[Unit, list[Estimate]]]:
    """Both intervals of a correlation, without each unit.

    `pairs` has a row per model: model_id, lineage_id, score_1 and score_2.
    """
    pairs = pairs.sort_values("model_id")
    model_ids, lineage_ids = (pairs[name].to_numpy(str) for name in ("model_id", "lineage_id"))
    scores = pairs[["score_1", "score_2"]].to_numpy(np.float64)
    for unit in units_of(model_ids, lineage_ids):
        kept = unit.is_kept
        if kept.sum() > 3 and (np.ptp(scores[kept], axis=0) > 0).all():
            yield unit, correlation_estimates(scores[kept], lineage_ids[kept])


def correlation_estimates(scores: Floats, lineage_ids: NDArray[np.str_]) -> list[Estimate]:
    """The correlation of two columns (n, 2) with its intervals by lineages and by models.

    The estimators are those of int_benchmark_correlations.sql. There are more than three rows.
    """
    pearson = _correlation(scores)
    by_lineages = Jackknife(pearson, FISHER_Z)
    labels = np.unique(lineage_ids)
    by_lineages.add(np.array([_correlation(scores[lineage_ids != label]) for label in labels]))
    interval = by_lineages.uncertainty()
    low, high = (interval.low, interval.high) if len(labels) > 2 else (np.nan, np.nan)
    margin = ndtri(0.975) / np.sqrt(len(scores) - 3)
    return [
        Estimate("lineages", pearson, float(low), float(high), np.nan),
        Estimate(
            "models",
            pearson,
            float(np.tanh(np.arctanh(pearson) - margin)),
            float(np.tanh(np.arctanh(pearson) + margin)),
            np.nan,
        ),
    ]


def _correlation(scores: Floats) -> float:
    """NaN with fewer than three rows, or where a column does not vary."""
    if len(scores) < 3 or (np.ptp(scores, axis=0) == 0).any():
        return float("nan")
    return float(np.corrcoef(scores, rowvar=False)[0, 1])


def claim_influences(
    parts: pd.DataFrame, points: pd.DataFrame, replicates: pd.DataFrame, scores: pd.DataFrame
) -> pd.DataFrame:
    """Estimates of all parts that are slopes or correlations, with the columns of `COLUMNS`.

    `parts`, `points`, `replicates` and `scores` are stg_claim_parts, int_scaling_points,
    int_ability_replicates and int_panel_scores.
    """
    rows: list[tuple[Any, ...]] = []
    of_target = {
        key: group
        for key, group in points.groupby(["target_kind", "target", "budget_language", "panel_id"])
    }
    without = dict(list(replicates.groupby(["target_kind", "target", "panel_id"])))
    nothing = replicates.iloc[:0]
    by_panel = dict(list(scores.groupby("panel_id")))
    for part in parts.itertuples():
        for panel_id, panel_scores in by_panel.items():
            if part.evidence == "slope":
                key = (part.target_kind, part.target, part.on_what, panel_id)
                if key not in of_target:
                    continue
                replicated = without.get((part.target_kind, part.target, panel_id), nothing)
                found = slopes_without(of_target[key], replicated)
            elif part.evidence == "correlation":
                found = correlations_without(pairs_of(panel_scores, part.target, part.on_what))
            else:
                continue
            rows.extend(
                (part.claim_id, panel_id, part.part_index, one.method, unit.kind, unit.id, *one[1:])
                for unit, estimates in found
                for one in estimates
            )
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    return table.sort_values(list(COLUMNS)[:6], ignore_index=True)


def pairs_of(scores: pd.DataFrame, benchmark_id_1: str, benchmark_id_2: str) -> pd.DataFrame:
    """The models that have both benchmarks, with both scores."""
    columns = ["model_id", "lineage_id", "score"]
    one, other = (
        scores.loc[scores["benchmark_id"] == benchmark_id, columns]
        for benchmark_id in (benchmark_id_1, benchmark_id_2)
    )
    return one.merge(other.drop(columns="lineage_id"), on="model_id", suffixes=("_1", "_2"))


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all influences; see `claim_influences`."""
    dbt.config(materialized="table")
    return claim_influences(
        dbt.ref("stg_claim_parts").df(),
        dbt.ref("int_scaling_points").df(),
        dbt.ref("int_ability_replicates").df(),
        dbt.ref("int_panel_scores").df(),
    )
