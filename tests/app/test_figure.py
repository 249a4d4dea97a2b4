"""The README's figure is drawn from the marts, and the committed one is of today's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from app import figure, marts
from app.snapshot import open_snapshot
from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

COMMITTED = REPOSITORY / "analyses" / "japanese_ability_and_compute.svg"


def test_the_figure_names_every_benchmark_and_model(
    built_warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(built_warehouse))
    monkeypatch.setattr("sys.argv", ["figure", str(tmp_path / "figure.svg")])
    figure.main()
    drawn = (tmp_path / "figure.svg").read_text(encoding="utf-8")
    with duckdb.connect(str(built_warehouse), read_only=True) as connection:
        names = connection.execute(
            "select benchmark_name from marts.dim_benchmarks union all"
            " select model_name from marts.fct_scaling_points"
            " inner join marts.dim_models using (model_id) where panel_id = 'paper_35'"
            " and target = 'component_2' and budget_language = 'ja'"
        ).fetchall()
    assert len(names) == 19 + 11
    committed = COMMITTED.read_text(encoding="utf-8")
    for (name,) in names:
        assert name in drawn
        assert name in committed


def test_the_committed_figure_is_of_the_numbers_of_today(built_warehouse: Path) -> None:
    snapshot = open_snapshot(built_warehouse)
    points = marts.scaling_points(snapshot, figure.PANEL, "component_2", figure.LANGUAGE)
    committed = COMMITTED.read_text(encoding="utf-8")
    # The marks carry their values for readers of the screen.
    for value in points["log10_train_flop"]:
        assert f"(powers of ten of operations): {value:.12g}" in committed, value
