"""The Python dbt models: their tables keep their shape, and their errors name the panel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.estimation.errors import InsufficientDataError
from models.intermediate import int_principal_components


def panel(model_count: int = 12, benchmark_count: int = 3) -> pd.DataFrame:
    scores = np.random.default_rng(0).uniform(0.1, 0.9, (model_count, benchmark_count))
    return pd.DataFrame(
        {
            "panel_id": "p",
            "model_id": np.repeat([f"model {i}" for i in range(model_count)], benchmark_count),
            "benchmark_id": np.tile([f"b{i}" for i in range(benchmark_count)], model_count),
            "score": scores.ravel(),
            "standard_error": 0.01,
        }
    )


class Dbt:
    """What a Python dbt model uses of dbt: `config` and `ref(...).df()`."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    def config(self, **_: str) -> None:
        pass

    def ref(self, _: str) -> Dbt:
        return self

    def df(self) -> pd.DataFrame:
        return self.table


def test_components_have_one_row_per_variance_loading_and_ability():
    rows = int_principal_components.model(Dbt(panel()), None)
    assert rows["quantity"].value_counts().to_dict() == {
        "variance": 3,
        "loading": 9,
        "ability": 36,
    }
    assert not rows["estimate"].isna().any()
    loadings = rows[rows["quantity"] == "loading"]
    assert loadings["benchmark_id"].notna().all()
    assert loadings["model_id"].isna().all()


def test_components_do_not_depend_on_the_order_of_rows():
    one = int_principal_components.model(Dbt(panel()), None)
    other = int_principal_components.model(Dbt(panel().sample(frac=1, random_state=1)), None)
    pd.testing.assert_frame_equal(one, other)


def test_an_empty_input_gives_an_empty_table_with_all_columns():
    components = int_principal_components.model(Dbt(panel().iloc[:0]), None)
    assert components.dtypes.astype(str).to_dict() == int_principal_components.COLUMNS
    assert len(components) == 0


def test_a_panel_that_is_too_small_is_named():
    with pytest.raises(InsufficientDataError, match="panel 'p': 3 rows of scores"):
        int_principal_components.model(Dbt(panel(3)), None)
    flat = panel().assign(score=lambda rows: rows["score"].where(rows["benchmark_id"] != "b1", 0.5))
    with pytest.raises(InsufficientDataError, match=r"panel 'p': .*column 'b1' has the same"):
        int_principal_components.model(Dbt(flat), None)
