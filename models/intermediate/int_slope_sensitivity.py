"""Slope sensitivity: slopes on known compute if assumed shares or token counts are off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from models.estimation.bounded_points import bounded_points
from models.estimation.lineage_lines import (
    least_squares_slopes,
    lineage_errors,
    t_quantiles,
)
from models.estimation.token_errors import ErrorModel, corrected_slopes, slope_deviations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection
    from numpy.typing import NDArray

    from models.estimation.bounded_points import BoundedPoints

    Floats = NDArray[np.float64]

COLUMNS = {
    "panel_id": "string",
    "target_kind": "string",
    "target": "string",
    "budget_language": "string",
    "assumption": "string",
    "factor": "float64",
    "model_count": "int32",
    "changed_model_count": "int32",
    "lineage_count": "int32",
    "slope": "float64",
    "slope_standard_error": "float64",
    "slope_ci_low": "float64",
    "slope_ci_high": "float64",
    "slope_deviation": "float64",
}
"""Columns of the table and their pandas types, whether or not there are rows."""


class Slopes(NamedTuple):
    """Slopes of all targets under one assumption."""

    assumption: str
    factor: float
    is_changed: NDArray[np.bool_]
    """(n,) models whose compute the assumption is about."""
    slopes: Floats
    """(1 + L, T), of all models, then with each lineage left out."""
    floor: Floats
    """(T,) standard error that takes models as independent."""
    deviation: Floats
    """(T,) over draws of the errors; NaN where nothing is drawn."""


def of_assumed_shares(
    points: BoundedPoints, log10_flop: Floats, budgets: pd.DataFrame
) -> Iterator[Slopes]:
    """With the odds of assumed shares times each factor of `budgets`."""
    for factor, rows in budgets.groupby("share_odds_factor", sort=True):
        train_flop = pd.Series(rows["train_flop"].to_numpy(np.float64), index=rows["model_id"])
        changed = train_flop.reindex(points.model_ids).to_numpy()
        x = np.where(points.is_known & ~np.isnan(changed), np.log10(changed), log10_flop)
        slopes = np.stack([least_squares_slopes(x, value).slope for value in points.values])
        floor = least_squares_slopes(x, points.values[0]).standard_error
        yield Slopes(
            "assumed_share",
            float(str(factor)),
            points.is_known & ~np.isnan(changed),
            slopes,
            floor,
            np.full(len(floor), np.nan),
        )


def of_token_errors(
    points: BoundedPoints, log10_flop: Floats, factors: Sequence[float]
) -> Iterator[Slopes]:
    """Corrected for token counts that are off by each of `factors`, alone or by lineages."""
    plain = least_squares_slopes(log10_flop, points.values[0])
    for factor in factors:
        for is_shared in (False, True):
            errors = ErrorModel(float(np.log10(factor)), is_shared)
            arguments = (points.membership, errors)
            slopes = np.stack(
                [corrected_slopes(log10_flop, value, *arguments) for value in points.values]
            )
            with np.errstate(divide="ignore", invalid="ignore"):
                enlarged = np.where(plain.slope == 0, 1.0, np.abs(slopes[0] / plain.slope))
            yield Slopes(
                "shared_token_errors" if is_shared else "independent_token_errors",
                float(factor),
                points.is_known,
                slopes,
                plain.standard_error * enlarged,
                slope_deviations(log10_flop, points.values[0], *arguments),
            )


def rows_of(points: BoundedPoints, found: Sequence[Slopes]) -> pd.DataFrame:
    """A row per assumption and target of one panel and language."""
    slopes = np.stack([part.slopes for part in found], axis=1)
    model_count, lineage_count = points.counts(points.is_known)
    errors = lineage_errors(
        slopes[0],
        slopes[1:],
        np.broadcast_to(lineage_count, slopes[0].shape),
        np.stack([part.floor for part in found]),
    )
    half_width = t_quantiles(errors.lineage_count) * errors.standard_error
    repeated, tiled = len(points.targets), len(found)
    return pd.DataFrame(
        points.key_columns(tiled)
        | {
            "assumption": np.repeat([part.assumption for part in found], repeated),
            "factor": np.repeat([part.factor for part in found], repeated),
            "model_count": np.tile(model_count, tiled),
            "changed_model_count": np.concatenate(
                [points.counts(part.is_changed)[0] for part in found]
            ),
            "lineage_count": np.tile(lineage_count, tiled),
            "slope": slopes[0].ravel(),
            "slope_standard_error": errors.standard_error.ravel(),
            "slope_ci_low": (slopes[0] - half_width).ravel(),
            "slope_ci_high": (slopes[0] + half_width).ravel(),
            "slope_deviation": np.concatenate([part.deviation for part in found]),
        }
    ).astype(COLUMNS)


def slope_sensitivity(
    points: pd.DataFrame,
    replicates: pd.DataFrame,
    budgets: pd.DataFrame,
    token_error_factors: Sequence[float],
) -> pd.DataFrame:
    """Rows of all panels and languages, with the columns of `COLUMNS`; see `bounded_points`.

    `budgets` has one row per model_id, budget_language and share_odds_factor, with train_flop, of
    the models whose compute rests on an assumed share.
    """
    tables = []
    for part in bounded_points(points, replicates):
        log10_flop = np.where(part.is_known, part.log10_flop(1.0)[1], np.nan)
        of_language = budgets[budgets["budget_language"] == part.budget_language]
        found = [
            *of_assumed_shares(part, log10_flop, of_language),
            *of_token_errors(part, log10_flop, token_error_factors),
        ]
        tables.append(rows_of(part, found))
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    return pd.concat(tables, ignore_index=True) if tables else empty


def model(dbt: Any, session: DuckDBPyConnection) -> pd.DataFrame:
    """The table of all assumptions; see `slope_sensitivity`."""
    dbt.config(materialized="table")
    return slope_sensitivity(
        dbt.ref("int_bounded_points").df(),
        dbt.ref("int_bounded_replicates").df(),
        dbt.ref("int_assumed_share_budgets").df(),
        dbt.config.meta_get("token_error_factors"),
    )
