"""Lineage predictions: every target of every panel, predicted of lineages that are left out."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from models.estimation.lineage_prediction import (
    PredictionErrors,
    predict_left_out_lineages,
    prediction_errors,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]

PREDICTORS: dict[str, list[str]] = {
    "mean": [],
    "parameters": ["log10_parameter_count"],
    "trained_on_local_language": ["is_trained_on_local_language"],
    "total_compute": ["log10_total_train_flop"],
    "total_compute_and_trained_on_local_language": [
        "log10_total_train_flop",
        "is_trained_on_local_language",
    ],
    "local_compute": ["log10_train_flop"],
}
"""Columns of int_predictors by predictor; the first is what all are compared with."""

FIGURES = [field.name for field in fields(PredictionErrors)]

COLUMNS = {
    "panel_id": "string",
    "target_kind": "string",
    "target": "string",
    "budget_language": "string",
    "predictor": "string",
    "quantity": "string",
    "model_count": "float64",
    "lineage_count": "float64",
    "r_squared": "float64",
    **dict.fromkeys(FIGURES, "float64"),
    "model_id": "string",
    "value": "float64",
    "prediction": "float64",
    "interval_low": "float64",
    "interval_high": "float64",
    "lineage_interval_low": "float64",
    "lineage_interval_high": "float64",
}
"""Columns of the table and their pandas types, whether or not there are rows."""


class Targets(NamedTuple):
    """Targets of one kind in one panel that the same models have."""

    kind: str
    names: NDArray[Any]
    """(t,)"""
    models: Integers
    """(n,) numbers of the models, ascending."""
    lineages: Integers
    """(n,) numbers of their lineages."""
    left_out: Integers
    """(G,) numbers of the lineages left out of the estimates, ascending; none where the values are
    not estimated."""
    values: Floats
    """(n, t), or (G, n, t) as estimated without each lineage; NaN where that cannot be."""

    def of_models(self, is_kept: NDArray[np.bool_]) -> Targets:
        """Of these models, and estimated without one of their lineages."""
        lineages = self.lineages[is_kept]
        is_needed = np.isin(self.left_out, lineages)
        values = self.values[..., is_kept, :]
        return self._replace(
            models=self.models[is_kept],
            lineages=lineages,
            left_out=self.left_out[is_needed],
            values=values if self.values.ndim == 2 else values[is_needed],
        )


class Predictors(NamedTuple):
    """What is known of models, in the order of their numbers."""

    is_in_set: NDArray[np.bool_]
    columns: dict[str, Floats]
    """Columns of int_predictors that have a value for every model of the set; NaN for others."""


def targets_of(rows: pd.DataFrame) -> Iterator[Targets]:
    """All targets of a panel; `rows` of int_prediction_values with models and lineages numbered."""
    lineage_of = rows.drop_duplicates("model").set_index("model")["lineage"]
    for kind, of_kind in rows.groupby("target_kind", sort=True):
        wide = of_kind.pivot(index=["left_out", "model"], columns="target", values="value")
        wide = wide.sort_index(axis=0).sort_index(axis=1)
        left_out = wide.index.unique("left_out").to_numpy()
        models = wide.index.unique("model").to_numpy()
        names = wide.columns.to_numpy()
        values: Floats = wide.to_numpy()
        lineages = lineage_of[models].to_numpy()
        if left_out[0] >= 0:
            by_lineage = values.reshape(len(left_out), len(models), len(names))
            yield Targets(str(kind), names, models, lineages, left_out, by_lineage)
            continue
        # A model without a score on a benchmark takes no part in predicting it.
        patterns, of_target = np.unique(~np.isnan(values), axis=1, return_inverse=True)
        for number, has_score in enumerate(patterns.T):
            chosen = of_target == number
            yield Targets(
                str(kind),
                names[chosen],
                models[has_score],
                lineages[has_score],
                left_out[:0],
                values[np.ix_(has_score, chosen)],
            )


def predictors_of(rows: pd.DataFrame, model_count: int) -> Predictors:
    """The models of one budget language; `rows` of int_predictors with models numbered."""
    is_in_set = np.zeros(model_count, dtype=bool)
    is_in_set[rows["model"]] = True
    columns = {}
    for name in {name for names in PREDICTORS.values() for name in names}:
        values = np.full(model_count, np.nan)
        values[rows["model"]] = rows[name].to_numpy(np.float64, na_value=np.nan)
        if not np.isnan(values[is_in_set]).any():
            columns[name] = values
    return Predictors(is_in_set, columns)


def predictions_of(targets: Targets, predictors: Predictors) -> Iterator[dict[str, Any]]:
    """Columns of the rows of every predictor of `targets` that is known of the set's models."""
    known = targets.of_models(predictors.is_in_set[targets.models])
    count = len(known.models)
    mean = None
    for predictor, names in PREDICTORS.items():
        if not predictors.columns.keys() >= set(names):
            continue
        summary: dict[str, Any] = {
            "target_kind": known.kind,
            "target": known.names,
            "predictor": predictor,
            "quantity": "errors",
            "model_count": count,
            "lineage_count": len(np.unique(known.lineages)),
        }
        if not np.isfinite(known.values).all():
            yield summary
            continue
        columns = np.array([predictors.columns[name][known.models] for name in names])
        found = predict_left_out_lineages(
            columns.reshape(len(names), count).T, known.values, known.lineages
        )
        mean = found if mean is None else mean
        yield {**summary, "r_squared": found.r_squared, **asdict(prediction_errors(found, mean))}
        if np.isfinite(found.predictions).all():
            yield {
                "target_kind": known.kind,
                "target": np.tile(known.names, count),
                "predictor": predictor,
                "quantity": "prediction",
                "model": np.repeat(known.models, len(known.names)),
                "value": found.values.ravel(),
                "prediction": found.predictions.ravel(),
                "interval_low": found.intervals.low.ravel(),
                "interval_high": found.intervals.high.ravel(),
                "lineage_interval_low": found.lineage_intervals.low.ravel(),
                "lineage_interval_high": found.lineage_intervals.high.ravel(),
            }


def lineage_predictions(values: pd.DataFrame, predictors: pd.DataFrame) -> pd.DataFrame:
    """Errors and predictions of everything, with the columns of `COLUMNS`.

    `values` are the rows of int_prediction_values, `predictors` those of int_predictors.
    """
    # Numbers in the order of the names, since they are compared and sorted much faster.
    models, model_ids = pd.factorize(values["model_id"], sort=True)
    lineages, lineage_ids = pd.factorize(values["lineage_id"], sort=True)
    numbered = values.assign(
        model=models,
        lineage=lineages,
        left_out=pd.Index(lineage_ids).get_indexer(values["left_out_lineage_id"]),
    )
    of_panels = predictors.assign(model=pd.Index(model_ids).get_indexer(predictors["model_id"]))
    of_panels = of_panels[of_panels["model"] >= 0]
    sets = {
        str(language): predictors_of(rows, len(model_ids))
        for language, rows in of_panels.groupby("budget_language", sort=True)
    }
    names = np.array(model_ids, dtype=object)
    parts = [
        {
            "panel_id": str(panel_id),
            "budget_language": language,
            **part,
            **({"model_id": names[part["model"]]} if "model" in part else {}),
        }
        for panel_id, rows in numbered.groupby("panel_id", sort=True)
        for targets in targets_of(rows)
        for language, of_language in sets.items()
        if of_language.is_in_set[targets.models].any()
        for part in predictions_of(targets, of_language)
    ]
    return pd.DataFrame(
        {
            name: pd.Series(
                np.concatenate([_column(part, name, kind) for part in parts]) if parts else [],
                dtype=kind,
            )
            for name, kind in COLUMNS.items()
        }
    )


def _column(part: dict[str, Any], name: str, kind: str) -> NDArray[Any]:
    """`name` of all rows of a part, which has it once, for every row, or not at all."""
    nothing = None if kind == "string" else np.nan
    value = part.get(name, nothing)
    if isinstance(value, np.ndarray):
        return value.astype(object) if kind == "string" else value
    return np.full(len(part["target"]), value, dtype=object if kind == "string" else np.float64)


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all panels; see `lineage_predictions`."""
    dbt.config(materialized="table")
    values: pd.DataFrame = dbt.ref("int_prediction_values").df()
    predictors: pd.DataFrame = dbt.ref("int_predictors").df()
    return lineage_predictions(values, predictors)
