"""Principal components of each panel and what follows from them, in one long table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from models.estimation.anchoring import (
    analyse_anchored,
    reference_of,
    rotation_onto,
    tucker_congruence,
)
from models.estimation.component_analysis import (
    analyse_components,
    replicated_abilities,
    replicated_congruences,
)
from models.estimation.component_counts import (
    average_partials,
    parallel_thresholds,
    sequential_thresholds,
)
from models.estimation.errors import ConvergenceError, EstimationError, InsufficientDataError
from models.estimation.missing_data import missing_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from models.estimation.anchoring import AnchoredAbilities
    from models.estimation.component_analysis import ComponentAnalysis

    Floats = NDArray[np.float64]

COLUMNS = {
    "panel_id": "string",
    "quantity": "string",
    "component_index": "int32",
    "reference_component_index": "Int32",
    "benchmark_id": "string",
    "model_id": "string",
    "left_out_lineage_id": "string",
    "estimate": "float64",
    "rotated_estimate": "float64",
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
    lineage_ids: list[str]
    """(n,) of the models."""
    benchmark_ids: list[str]
    scores: Floats
    """(n, p), 0 to 1; NaN where missing."""
    standard_errors: Floats
    """(n, p), in the unit of the scores; NaN where unknown."""


def panel_of(rows: pd.DataFrame) -> Panel:
    """The panel of `rows`, one per model and benchmark with a score.

    Columns: model_id, lineage_id, benchmark_id, score (0-1) and standard_error (null if unknown).
    """
    scores = rows.pivot(index="model_id", columns="benchmark_id", values="score")
    scores = scores.sort_index(axis=0).sort_index(axis=1)
    errors = rows.pivot(index="model_id", columns="benchmark_id", values="standard_error")
    errors = errors.reindex(index=scores.index, columns=scores.columns)
    lineages = rows.drop_duplicates("model_id").set_index("model_id")["lineage_id"]
    return Panel(
        model_ids=list(scores.index),
        lineage_ids=list(lineages.reindex(scores.index)),
        benchmark_ids=list(scores.columns),
        scores=scores.to_numpy(np.float64),
        standard_errors=errors.to_numpy(np.float64),
    )


def analysis_of(panel_id: str, panel: Panel) -> ComponentAnalysis | None:
    """The components of a panel by lineages; None if its scores do not determine them.

    Raises EstimationError, naming the panel, of a score that is not finite.
    """
    try:
        return analyse_components(
            panel.scores,
            panel.standard_errors,
            groups=panel.lineage_ids,
            labels=panel.benchmark_ids,
        )
    except (InsufficientDataError, ConvergenceError):
        return None
    except EstimationError as error:
        raise type(error)(f"panel {panel_id!r}: {error}") from error


def variance_rows(analysis: ComponentAnalysis) -> pd.DataFrame:
    """A row per component."""
    components = analysis.components
    return pd.DataFrame(
        {
            "quantity": "variance",
            "component_index": indexes(len(components.eigenvalues)),
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
    components, count = analysis.components, len(benchmark_ids)
    return pd.DataFrame(
        {
            "quantity": "loading",
            "component_index": np.tile(indexes(count), count),
            "benchmark_id": np.repeat(benchmark_ids, count),
            "estimate": components.loadings.ravel(),
            "eigenvector": components.eigenvectors.ravel(),
            "standard_error": analysis.loading.standard_error.ravel(),
            "ci_low": analysis.loading.low.ravel(),
            "ci_high": analysis.loading.high.ravel(),
        }
    )


def position_rows(
    quantity: str, model_ids: Sequence[str], positions: Floats, **columns: Floats | str
) -> pd.DataFrame:
    """A row per model and component of the (n, k) `positions`, with `columns` in their shape."""
    count = positions.shape[1]
    return pd.DataFrame(
        {
            "quantity": quantity,
            "component_index": np.tile(indexes(count), len(model_ids)),
            "model_id": np.repeat(np.asarray(model_ids, dtype=object), count),
            "estimate": positions.ravel(),
            **{
                name: values if isinstance(values, str) else values.ravel()
                for name, values in columns.items()
            },
        }
    )


def ability_rows(analysis: ComponentAnalysis, model_ids: Sequence[str]) -> pd.DataFrame:
    """A row per model and component."""
    ability = analysis.ability
    return position_rows(
        "ability",
        model_ids,
        analysis.abilities,
        standard_error=ability.total,
        estimation_standard_error=ability.estimation,
        item_standard_error=ability.item,
        missing_standard_error=ability.missing,
    )


def replicate_rows(
    quantity: str, lineage_ids: Sequence[str], model_ids: Sequence[str], replicates: Floats
) -> pd.DataFrame:
    """A row per lineage left out, model and component of the (G, n, k) `replicates`.

    Models of the lineage are placed too.
    """
    group_count, model_count, count = replicates.shape
    rows = position_rows(
        quantity,
        list(model_ids) * group_count,
        replicates.reshape(group_count * model_count, count),
    )
    lineages = np.repeat(np.asarray(lineage_ids, dtype=object), model_count * count)
    return rows.assign(left_out_lineage_id=lineages)


def anchored_rows(
    panel: Panel, analysis: ComponentAnalysis, anchored: AnchoredAbilities
) -> list[pd.DataFrame]:
    """Anchored abilities, a row per model and component, and their replicates."""
    uncertainty = anchored.uncertainty
    return [
        position_rows(
            "anchored_ability",
            panel.model_ids,
            anchored.abilities,
            standard_error=uncertainty.total,
            estimation_standard_error=uncertainty.estimation,
            item_standard_error=uncertainty.item,
            missing_standard_error=uncertainty.missing,
        ),
        replicate_rows(
            "anchored_replicate",
            lineage_ids(analysis),
            panel.model_ids,
            anchored.replicates,
        ),
    ]


def congruence_rows(loadings: Floats, reference_loadings: Floats) -> pd.DataFrame:
    """A row per pair of leading components of a panel and of the reference.

    `loadings` (q, j) and `reference_loadings` (q, k) are those of the benchmarks of the reference;
    `rotated_estimate` is of the panel's components turned onto the reference's, NaN if j is not k.
    """
    before = tucker_congruence(loadings, reference_loadings)
    after = np.full(before.shape, np.nan)
    if loadings.shape == reference_loadings.shape:
        rotation = rotation_onto(loadings, reference_loadings)
        after = tucker_congruence(loadings @ rotation, reference_loadings)
    rows, columns = before.shape
    return pd.DataFrame(
        {
            "quantity": "congruence",
            "component_index": np.repeat(indexes(rows), columns),
            "reference_component_index": np.tile(indexes(columns), rows),
            "estimate": before.ravel(),
            "rotated_estimate": after.ravel(),
        }
    )


def stability_rows(panel: Panel, analysis: ComponentAnalysis) -> list[pd.DataFrame]:
    """Per component its congruences without a lineage, and the thresholds of its eigenvalue.

    Nulls where there are no replicates or one of them is not determined.
    """
    components, cells = analysis.components, missing_cells(panel.scores)
    congruences = replicated_congruences(analysis)
    count = len(components.eigenvalues)
    median = smallest = np.full(count, np.nan)
    moved_by: list[str | None] = [None] * count
    if len(congruences):
        median, smallest = np.median(congruences, axis=0), congruences.min(axis=0)
        lineages = lineage_ids(analysis)
        moved_by = [
            None if np.isnan(least) else lineages[group]
            for least, group in zip(smallest, congruences.argmin(axis=0), strict=True)
        ]
    observed = cells.observed.astype(np.float64)
    # As if every benchmark had only as many models as the two that have the fewest in common: the
    # thresholds are then too high rather than too low.
    row_count = int((observed.T @ observed).min())
    correlation = components.loadings @ components.loadings.T
    quantities = {
        "median_congruence": median,
        "smallest_congruence": smallest,
        "parallel_threshold": parallel_thresholds(row_count, count),
        "sequential_threshold": sequential_thresholds(correlation, row_count),
    }
    tables = [
        pd.DataFrame({"quantity": name, "component_index": indexes(count), "estimate": values})
        for name, values in quantities.items()
    ]
    tables[1]["left_out_lineage_id"] = moved_by
    # Its index is the number of components removed, from 0.
    partials = average_partials(correlation)
    tables.append(
        pd.DataFrame(
            {
                "quantity": "average_partial",
                "component_index": indexes(count) - 1,
                "estimate": partials,
            }
        )
    )
    return tables


def lineage_ids(analysis: ComponentAnalysis) -> list[str]:
    """Of the lineages left out, in the order of the replicates; empty if none was."""
    return [str(label) for label in analysis.group_labels[: len(analysis.replicates)]]


def indexes(count: int) -> NDArray[np.int32]:
    """(count,) of components, from 1."""
    return np.arange(1, count + 1, dtype=np.int32)


def undetermined_rows(panel: Panel) -> list[pd.DataFrame]:
    """The rows of a panel whose scores do not determine its components: nothing but nulls."""
    count = len(panel.benchmark_ids)
    unknown = np.full((len(panel.model_ids), count), np.nan)
    return [
        pd.DataFrame({"quantity": "variance", "component_index": indexes(count)}),
        pd.DataFrame(
            {
                "quantity": "loading",
                "component_index": np.tile(indexes(count), count),
                "benchmark_id": np.repeat(panel.benchmark_ids, count),
            }
        ),
        position_rows("ability", panel.model_ids, unknown),
    ]


def components_of_panels(
    scores: pd.DataFrame, reference_panel_id: str | None, anchored_component_count: int
) -> pd.DataFrame:
    """Rows of every panel in `scores`, which has `panel_id` and the columns of `panel_of`.

    `reference_panel_id` is the panel whose leading `anchored_component_count` components are the
    anchor of all; without it, or if its components are not determined, nothing is anchored.
    """
    panels = {
        str(panel_id): panel_of(rows) for panel_id, rows in scores.groupby("panel_id", sort=True)
    }
    analyses = {panel_id: analysis_of(panel_id, panel) for panel_id, panel in panels.items()}
    reference = None
    anchoring = analyses.get(reference_panel_id) if reference_panel_id else None
    if anchoring is not None:
        reference = reference_of(anchoring, anchored_component_count)
    tables = [pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)]
    for panel_id, panel in panels.items():
        analysis = analyses[panel_id]
        if analysis is None:
            rows = undetermined_rows(panel)
        else:
            rows = [
                variance_rows(analysis),
                loading_rows(analysis, panel.benchmark_ids),
                ability_rows(analysis, panel.model_ids),
                replicate_rows(
                    "ability_replicate",
                    lineage_ids(analysis),
                    panel.model_ids,
                    replicated_abilities(panel.scores, analysis),
                ),
                *stability_rows(panel, analysis),
            ]
            benchmark_ids = panels[str(reference_panel_id)].benchmark_ids if reference else []
            if reference is not None and set(benchmark_ids) <= set(panel.benchmark_ids):
                columns = np.array([panel.benchmark_ids.index(one) for one in benchmark_ids])
                anchored = analyse_anchored(
                    panel.scores, panel.standard_errors, analysis, reference, columns
                )
                anchor = reference.anchor.loadings
                leading = analysis.components.loadings[columns, : anchor.shape[1]]
                rows += [
                    *anchored_rows(panel, analysis, anchored),
                    congruence_rows(leading, anchor),
                ]
        table = pd.concat(rows, ignore_index=True).assign(panel_id=panel_id)
        tables.append(table.reindex(columns=list(COLUMNS)).astype(COLUMNS))
    return pd.concat(tables, ignore_index=True)


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all panels; see `components_of_panels`."""
    dbt.config(materialized="table")
    scores: pd.DataFrame = dbt.ref("int_panel_scores").df()
    panels: pd.DataFrame = dbt.ref("stg_panels").df()
    references = list(panels.loc[panels["is_reference"], "panel_id"])
    if len(references) > 1:
        raise EstimationError(
            f"panels.csv declares {len(references)} references ({', '.join(references)}): "
            "set is_reference to true for one panel only"
        )
    return components_of_panels(
        scores,
        references[0] if references else None,
        int(dbt.config.meta_get("anchored_component_count")),
    )
