"""Influences: what claims rest on, estimated anew without each lineage and without each model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from models.estimation.cluster_robust import fit_lineage_cr2, fit_lineage_jackknife
from models.estimation.fixed_effects import fit_lineage_fixed_effects
from models.estimation.jackknife import FISHER_Z, Jackknife
from models.estimation.pairs import paired_effect
from models.intermediate.int_scaling_fits import TARGET, replicates_of, values_without_lineages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from models.estimation.pairs import PairedEffect
    from models.estimation.scaling import ScalingFit

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


ESTIMATE = ("slope", "slope_ci_low", "slope_ci_high", "effective_lineage_count")
"""Fields of a fit that become the last columns."""


class Estimate(NamedTuple):
    """A correlation with its 95% interval; NaN where there is none."""

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
) -> Iterator[tuple[Unit, list[tuple[str, str]], list[ScalingFit]]]:
    """Targets of one panel and language with the required fits, without each unit.

    `points` and `without` are rows of int_scaling_points and int_ability_replicates. Where a
    lineage is left out, abilities are those that were estimated without it, and are held in the
    jackknife of the others; where a model is, they are those of all models.
    """
    values = points.pivot(index="model_id", columns=TARGET, values="value")
    models = points.drop_duplicates("model_id").set_index("model_id").loc[values.index]
    replicated = values_without_lineages(without)
    is_known = values.notna().to_numpy()
    # Targets that the same models have are fitted together.
    patterns, of_target = np.unique(is_known, axis=1, return_inverse=True)
    for number, has_value in enumerate(patterns.T):
        chosen, fitted = values.loc[has_value, of_target == number], models[has_value]
        lineage_ids = fitted["lineage_id"].to_numpy(str)
        compute = fitted["log10_train_flop"].to_numpy(np.float64)
        replicates = replicates_of(chosen, lineage_ids, replicated)
        scores = chosen.to_numpy(np.float64)
        for unit in units_of(fitted.index.to_numpy(str), lineage_ids):
            kept, held, redone = unit.is_kept, scores, None
            if replicates is not None and unit.kind == "lineage":
                held = replicates.values[replicates.lineage == unit.id][0]
            elif replicates is not None:
                redone = replace(replicates, values=replicates.values[:, kept])
            arguments = compute[kept], held[kept], lineage_ids[kept]
            if not np.isfinite(arguments[1]).all():
                continue
            yield (
                unit,
                chosen.columns.to_list(),
                [
                    fit_lineage_jackknife(*arguments, replicates=redone),
                    fit_lineage_cr2(*arguments),
                    fit_lineage_fixed_effects(*arguments),
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

    The estimators are those of int_benchmark_correlations.sql, sums over lineages and all.
    """
    centred = scores - scores.mean(axis=0)
    x, y = centred.T
    lineages, of_lineage = np.unique(lineage_ids, return_inverse=True)
    terms = (np.ones_like(x), x, y, x * x, y * y, x * y)
    sums = np.array([np.bincount(of_lineage, weights=term) for term in terms])
    pearson = float(_correlation(sums.sum(axis=1)))
    low = high = np.nan
    if len(lineages) > 2:
        by_lineages = Jackknife(pearson, FISHER_Z)
        by_lineages.add(_correlation(sums.sum(axis=1, keepdims=True) - sums))
        interval = by_lineages.uncertainty()
        low, high = float(interval.low), float(interval.high)
    margin = ndtri(0.975) / np.sqrt(len(scores) - 3)
    by_models = np.tanh(np.arctanh(pearson) + np.array([-margin, margin]))
    return [
        Estimate("lineages", pearson, low, high, np.nan),
        Estimate("models", pearson, float(by_models[0]), float(by_models[1]), np.nan),
    ]


def _correlation(sums: Floats) -> Floats:
    """From (6, ...) counts, sums, sums of squares and of products; NaN where there is none."""
    n, x, y, xx, yy, xy = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        x_variation, y_variation = xx - x**2 / n, yy - y**2 / n
        pearson: Floats = (xy - x * y / n) / np.sqrt(x_variation * y_variation)
    is_defined = (n > 2) & (x_variation > 1e-12 * xx) & (y_variation > 1e-12 * yy)
    return np.where(is_defined, pearson, np.nan)


def effects_without(pairs: pd.DataFrame) -> Iterator[tuple[Unit, PairedEffect]]:
    """A paired effect without each lineage, developer and child.

    `pairs` has a row per child: model_id, lineage_id, developer, value and dose (all null if values
    are averaged).
    """
    pairs = pairs.sort_values("model_id")
    model_ids, lineage_ids = (pairs[name].to_numpy(str) for name in ("model_id", "lineage_id"))
    developers, values = pairs["developer"].to_numpy(str), pairs["value"].to_numpy(np.float64)
    doses = pairs["dose"].to_numpy(np.float64) if pairs["dose"].notna().any() else None
    units = [
        *units_of(model_ids, lineage_ids),
        *(Unit("developer", str(name), developers != name) for name in np.unique(developers)),
    ]
    for unit in units:
        kept = unit.is_kept
        if kept.any():
            dose = None if doses is None else doses[kept]
            effect = paired_effect(values[kept], lineage_ids[kept], developers[kept], dose)
            yield unit, effect


def claim_influences(
    parts: pd.DataFrame,
    panels: pd.DataFrame,
    points: pd.DataFrame,
    replicates: pd.DataFrame,
    scores: pd.DataFrame,
    pairs: pd.DataFrame,
) -> pd.DataFrame:
    """Estimates of all parts but loadings, with the columns of `COLUMNS`.

    The arguments are stg_claim_parts, stg_panels, int_scaling_points, int_ability_replicates,
    int_panel_scores and int_paired_values. Pairs stand on the reference panel.
    """
    rows: list[tuple[Any, ...]] = []
    slopes = parts[parts["evidence"] == "slope"].rename(columns={"on_what": "budget_language"})
    asked = points.merge(slopes[[*TARGET, "budget_language"]].drop_duplicates())
    needed = replicates.merge(slopes[TARGET].drop_duplicates())
    without = {str(panel_id): rows for panel_id, rows in needed.groupby("panel_id")}
    for (panel_id, language), of_panel in asked.groupby(["panel_id", "budget_language"]):
        replicated = without.get(str(panel_id), needed.iloc[:0])
        parts_of = {
            target: [(str(part.claim_id), part.part_index) for part in of_target.itertuples()]
            for target, of_target in slopes[slopes["budget_language"] == language].groupby(TARGET)
        }
        for unit, targets, fits in slopes_without(of_panel, replicated):
            for fit in fits:
                found = zip(*(np.atleast_1d(getattr(fit, name)) for name in ESTIMATE), strict=True)
                for target, estimate in zip(targets, found, strict=True):
                    rows.extend(
                        (claim_id, panel_id, part_index, fit.method, *unit[:2], *estimate)
                        for claim_id, part_index in parts_of[target]
                    )
    for part in parts[parts["evidence"] == "correlation"].itertuples():
        for panel_id, of_panel in scores.groupby("panel_id"):
            for unit, estimates in correlations_without(
                pairs_of(of_panel, str(part.target), str(part.on_what))
            ):
                rows.extend(
                    (part.claim_id, panel_id, part.part_index, one.method, *unit[:2], *one[1:])
                    for one in estimates
                )
    of_pairs = dict(list(pairs.groupby(["estimand", *TARGET])))
    for panel_id in panels.loc[panels["is_reference"], "panel_id"]:
        for part in parts[parts["evidence"] == "paired"].itertuples():
            key = (part.on_what, part.target_kind, part.target)
            if key not in of_pairs:
                continue
            for unit, effect in effects_without(of_pairs[key]):
                interval = (effect.estimate, effect.ci_low, effect.ci_high, np.nan)
                head = (part.claim_id, panel_id, part.part_index, "pairs")
                rows.append((*head, *unit[:2], *interval))
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
        dbt.ref("stg_panels").df(),
        dbt.ref("int_scaling_points").df(),
        dbt.ref("int_ability_replicates").df(),
        dbt.ref("int_panel_scores").df(),
        dbt.ref("int_paired_values").df(),
    )
