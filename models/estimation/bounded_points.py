"""Bounded points: values of models whose compute is known or bounded, as arrays to estimate on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        """(n,)"""
        return self.flop_low == self.flop_high

    @property
    def is_bounded(self) -> NDArray[np.bool_]:
        """(n,) known models included."""
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
    values[target, models.index.get_indexer(rows["model_id"])] = rows["value"]
    membership = models["lineage_id"].to_numpy()[:, None] == lineages.to_numpy()
    left_out = lineages
    if replicates is not None:
        left_out = pd.Index(sorted({*lineages, *replicates["left_out_lineage_id"].unique()}))
    replicated = np.repeat(values[None], len(left_out), axis=0)
    if replicates is not None:
        positions = [
            left_out.get_indexer(replicates["left_out_lineage_id"]),
            targets.get_indexer(pd.MultiIndex.from_frame(replicates[TARGET])),
            models.index.get_indexer(replicates["model_id"]),
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
