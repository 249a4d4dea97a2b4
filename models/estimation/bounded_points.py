"""Bounded points: values of models whose compute is known or bounded, as arrays to estimate on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.intp]

TARGET = ["target_kind", "target"]


@dataclass(frozen=True, slots=True)
class BoundedPoints:
    """All targets of one panel against the compute of one language.

    n models of G lineages, in the order of their ids; T targets; L lineages left out.
    """

    panel_id: str
    budget_language: str
    targets: list[tuple[str, str]]
    """Kind and name of each target."""
    model_ids: list[str]
    membership: Floats
    """(n, G), 1 where a model belongs to a lineage, 0 elsewhere."""
    flop_low: Floats
    """(n,) training operations that are certain; equal to `flop_high` where they are known."""
    flop_high: Floats
    """(n,) training operations at most; NaN where nothing bounds them."""
    values: Floats
    """(1 + L, T, n), of all models, then with each lineage left out; NaN where there is none."""

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """(n,) whether training operations are known."""
        known: NDArray[np.bool_] = self.flop_low == self.flop_high
        return known

    @property
    def is_bounded(self) -> NDArray[np.bool_]:
        """(n,) whether training operations are known or bounded."""
        return np.isfinite(self.flop_high)

    def counts(self, models: NDArray[np.bool_]) -> tuple[Integers, Integers]:
        """(T,) models and lineages with a value, of the `models` (n,) that are meant."""
        present = np.isfinite(self.values[0]) & models
        return present.sum(axis=1), (present @ self.membership > 0).sum(axis=1)

    def log10_flop(self, smallest_share: float) -> tuple[Floats, Floats]:
        """(n,) lowest and highest log10 compute, NaN where nothing bounds it.

        What a bounded model's sources do not divide holds at least `smallest_share` of the
        language, and at most nothing else.
        """
        low = self.flop_low + smallest_share * (self.flop_high - self.flop_low)
        high = np.log10(self.flop_high)
        return np.where(self.is_known, high, np.log10(low)), high

    def key_columns(self, parts: int) -> dict[str, Any]:
        """Columns of the key, for a row per part of an estimate and target, parts first."""
        kinds, names = zip(*self.targets, strict=True)
        return {
            "panel_id": self.panel_id,
            "target_kind": np.tile(kinds, parts),
            "target": np.tile(names, parts),
            "budget_language": self.budget_language,
        }


class Intervals(NamedTuple):
    """Problems of all smallest shares and targets of one panel and language, shares first."""

    low: Floats
    """(S T, n) lowest log10 compute."""
    high: Floats
    """(S T, n) highest log10 compute."""
    values: Floats
    """(1 + L, S T, n), NaN where there is none or where nothing bounds compute."""
    lineage_count: Integers
    """(S T,)"""
    columns: dict[str, Any]
    """Key of each problem and the numbers of models in it."""


def intervals_of(points: BoundedPoints, smallest_shares: Sequence[float]) -> Intervals:
    """All problems of `points`, one for each of `smallest_shares` and target."""
    share_count, model_count = len(smallest_shares), len(points.model_ids)
    values = np.where(points.is_bounded, points.values, np.nan)
    low, high = (
        np.repeat(np.stack(ends), len(points.targets), axis=0)
        for ends in zip(*map(points.log10_flop, smallest_shares), strict=True)
    )
    model_counts, lineage_counts = points.counts(points.is_bounded)
    lineage_count = np.tile(lineage_counts, share_count)
    return Intervals(
        low=low,
        high=high,
        values=np.tile(values[:, None], (1, share_count, 1, 1)).reshape(
            len(values), -1, model_count
        ),
        lineage_count=lineage_count,
        columns=points.key_columns(share_count)
        | {
            "smallest_share": np.repeat(
                np.asarray(smallest_shares, dtype=np.float64), len(points.targets)
            ),
            "model_count": np.tile(model_counts, share_count),
            "known_model_count": np.tile(points.counts(points.is_known)[0], share_count),
            "unbounded_model_count": np.tile(points.counts(~points.is_bounded)[0], share_count),
            "lineage_count": lineage_count,
        },
    )


def bounded_points(points: pd.DataFrame, replicates: pd.DataFrame) -> Iterator[BoundedPoints]:
    """Every panel and language of `points`, in their order.

    Args:
        points: one row per panel_id, target_kind, target, budget_language and model_id, with
            lineage_id, value, train_flop_low and train_flop_high (null where nothing bounds it).
        replicates: one row per panel_id, target_kind, target, left_out_lineage_id and model_id,
            with value. Targets without replicates have the same values whoever is left out.
    """
    of_panel = {str(key): rows for key, rows in replicates.groupby("panel_id")}
    # Sorted, so that sums are taken in the same order however the rows arrived.
    ordered = points.sort_values(["panel_id", "budget_language", *TARGET, "model_id"])
    for (panel_id, language), rows in ordered.groupby(["panel_id", "budget_language"], sort=False):
        yield _points(str(panel_id), str(language), rows, of_panel.get(str(panel_id)))


def _points(
    panel_id: str, language: str, rows: pd.DataFrame, replicates: pd.DataFrame | None
) -> BoundedPoints:
    models = rows.drop_duplicates("model_id").set_index("model_id").sort_index()
    targets = pd.MultiIndex.from_frame(rows[TARGET].drop_duplicates())
    lineages = pd.Index(sorted(models["lineage_id"].unique()))
    values = np.full((len(targets), len(models)), np.nan)
    target = targets.get_indexer(pd.MultiIndex.from_frame(rows[TARGET]))
    values[target, models.index.get_indexer(pd.Index(rows["model_id"]))] = rows["value"]
    membership = models["lineage_id"].to_numpy()[:, None] == lineages.to_numpy()
    left_out = lineages
    if replicates is not None:
        left_out = pd.Index(sorted({*lineages, *replicates["left_out_lineage_id"].unique()}))
    replicated = np.repeat(values[None], len(left_out), axis=0)
    if replicates is not None:
        positions = [
            left_out.get_indexer(pd.Index(replicates["left_out_lineage_id"])),
            targets.get_indexer(pd.MultiIndex.from_frame(replicates[TARGET])),
            models.index.get_indexer(pd.Index(replicates["model_id"])),
        ]
        used = np.logical_and.reduce([position >= 0 for position in positions])
        replicated[tuple(position[used] for position in positions)] = replicates["value"][used]
    is_left_out = left_out.to_numpy()[:, None] == models["lineage_id"].to_numpy()
    replicated[np.broadcast_to(is_left_out[:, None], replicated.shape)] = np.nan
    return BoundedPoints(
        panel_id=panel_id,
        budget_language=language,
        targets=[(str(kind), str(name)) for kind, name in targets],
        model_ids=[str(model_id) for model_id in models.index],
        membership=membership.astype(np.float64),
        flop_low=models["train_flop_low"].to_numpy(np.float64),
        flop_high=models["train_flop_high"].to_numpy(np.float64, na_value=np.nan),
        values=np.concatenate([values[None], replicated]),
    )
