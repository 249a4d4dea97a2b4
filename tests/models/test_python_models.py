"""The Python dbt models: their tables keep their shape, and their errors name the panel."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from models.estimation.errors import EstimationError
from models.intermediate import int_paired_effects, int_principal_components


def panel(
    model_count: int = 12,
    benchmark_count: int = 4,
    panel_id: str = "p",
    lineage_count: int = 6,
) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    general = generator.uniform(0.2, 0.8, (model_count, 1))
    scores = general + generator.uniform(-0.1, 0.1, (model_count, benchmark_count))
    models = np.arange(model_count)
    return pd.DataFrame(
        {
            "panel_id": panel_id,
            "model_id": np.repeat([f"model {i:02d}" for i in models], benchmark_count),
            "lineage_id": np.repeat([f"l{i % lineage_count}" for i in models], benchmark_count),
            "benchmark_id": np.tile([f"b{i}" for i in range(benchmark_count)], model_count),
            "score": scores.ravel(),
            "standard_error": 0.01,
        }
    )


class Dbt:
    """What a Python dbt model uses of dbt: `config`, its `meta_get` and `ref(...).df()`."""

    def __init__(self, *references: str, **tables: pd.DataFrame) -> None:
        panel_ids = sorted(set(tables["int_panel_scores"]["panel_id"])) if tables else []
        self.tables = {
            "stg_panels": pd.DataFrame(
                {"panel_id": panel_ids, "is_reference": [one in references for one in panel_ids]}
            ),
            **tables,
        }
        self.config = Config()

    def ref(self, name: str) -> Relation:
        return Relation(self.tables[name])


class Config:
    """What the configuration of a dbt model is used for."""

    def __call__(self, **_: str) -> None:
        pass

    def meta_get(self, name: str) -> int:
        return {"anchored_component_count": 2}[name]


class Relation(NamedTuple):
    """A table as dbt hands it over."""

    table: pd.DataFrame

    def df(self) -> pd.DataFrame:
        return self.table


def components_of(scores: pd.DataFrame, *references: str) -> pd.DataFrame:
    return int_principal_components.model(Dbt(*references, int_panel_scores=scores), None)


def test_components_have_one_row_per_quantity_and_what_it_is_of():
    rows = components_of(panel(), "p")
    assert rows["quantity"].value_counts().to_dict() == {
        "variance": 4,
        "loading": 16,
        "ability": 48,
        "ability_replicate": 6 * 48,
        "anchored_ability": 24,
        "anchored_replicate": 6 * 24,
        "congruence": 4,
        "median_congruence": 4,
        "smallest_congruence": 4,
        "parallel_threshold": 4,
        "sequential_threshold": 4,
        "average_partial": 4,
    }
    whole = rows[~rows["quantity"].isin(["sequential_threshold", "average_partial"])]
    assert not whole["estimate"].isna().any()
    loadings = rows[rows["quantity"] == "loading"]
    assert loadings["benchmark_id"].notna().all()
    assert loadings["model_id"].isna().all()
    replicates = rows[rows["quantity"].isin(["ability_replicate", "anchored_replicate"])]
    assert set(replicates["left_out_lineage_id"]) == {f"l{i}" for i in range(6)}
    assert not replicates.duplicated(
        ["quantity", "component_index", "left_out_lineage_id", "model_id"]
    ).any()


def test_standard_errors_of_abilities_are_the_spread_of_their_replicates():
    rows = components_of(panel(), "p")
    for kind, replicates in (
        ("ability", "ability_replicate"),
        ("anchored_ability", "anchored_replicate"),
    ):
        keys = ["component_index", "model_id"]
        values = rows[rows["quantity"] == replicates].groupby(keys)["estimate"]
        # Six lineages: (G - 1) / G times the sum of squares is 5 times their mean.
        by_hand = np.sqrt(5 * values.var(ddof=0))
        errors = rows[rows["quantity"] == kind].set_index(keys).sort_index()
        np.testing.assert_allclose(errors["estimation_standard_error"], by_hand, rtol=1e-9)
        np.testing.assert_allclose(
            errors["standard_error"] ** 2,
            by_hand**2 + errors["item_standard_error"] ** 2,
            rtol=1e-9,
        )


def test_all_panels_are_anchored_on_the_reference():
    other = panel(panel_id="a").iloc[: 9 * 4].copy()
    other["score"] = other["score"].where(other["model_id"] != "model 03", 0.9)
    scores = pd.concat([panel(), other])
    rows = components_of(scores, "p")
    anchored = rows[rows["quantity"] == "anchored_ability"].set_index(["panel_id", "model_id"])
    shared = [f"model {i:02d}" for i in (0, 1, 2, 4, 5, 6, 7, 8)]
    np.testing.assert_allclose(
        anchored.loc["a"].loc[shared, "estimate"], anchored.loc["p"].loc[shared, "estimate"]
    )
    congruence = rows[(rows["quantity"] == "congruence") & (rows["panel_id"] == "p")]
    np.testing.assert_allclose(congruence["estimate"], [1, 0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(congruence["rotated_estimate"], [1, 0, 0, 1], atol=1e-12)


def test_a_panel_without_a_benchmark_of_the_reference_is_not_anchored():
    scores = pd.concat([panel(), panel(benchmark_count=3, panel_id="a")])
    rows = components_of(scores, "p")
    kinds = set(rows.loc[rows["panel_id"] == "a", "quantity"])
    assert "ability" in kinds
    assert not kinds & {"anchored_ability", "anchored_replicate", "congruence"}


def test_nothing_is_anchored_without_a_reference_and_on_two():
    assert "anchored_ability" not in set(components_of(panel())["quantity"])
    with pytest.raises(EstimationError, match=r"panels.csv declares 2 references \(a, p\)"):
        components_of(pd.concat([panel(), panel(panel_id="a")]), "a", "p")


def test_components_do_not_depend_on_the_order_of_rows():
    one = components_of(panel(), "p")
    other = components_of(panel().sample(frac=1, random_state=1), "p")
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_an_empty_input_gives_an_empty_table_with_all_columns():
    components = components_of(panel().iloc[:0])
    dtypes = {name: dtype.lower() for name, dtype in int_principal_components.COLUMNS.items()}
    assert components.dtypes.astype(str).str.lower().to_dict() == dtypes
    assert len(components) == 0


FLAT = panel().assign(score=lambda rows: rows["score"].where(rows["benchmark_id"] != "b1", 0.5))


@pytest.mark.parametrize("scores", [panel(2), FLAT], ids=["two models", "a score of all"])
def test_a_panel_that_does_not_determine_components_has_rows_of_nulls(scores):
    rows = components_of(pd.concat([scores, panel(panel_id="q")]), "q")
    counts = rows.groupby(["panel_id", "quantity"])["estimate"].agg(["size", "count"])
    model_count = scores["model_id"].nunique()
    assert counts.loc["p"].to_dict("index") == {
        "variance": {"size": 4, "count": 0},
        "loading": {"size": 16, "count": 0},
        "ability": {"size": 4 * model_count, "count": 0},
    }
    assert counts.loc[("q", "anchored_ability"), "count"] == 24
    # As the reference it anchors nothing.
    anchored = components_of(pd.concat([scores, panel(panel_id="q")]), "p")
    assert "anchored_ability" not in set(anchored["quantity"])


@pytest.mark.parametrize(
    "scores", [panel(3, lineage_count=3), panel(lineage_count=2)], ids=["3 models", "2 lineages"]
)
def test_a_panel_too_small_to_leave_a_lineage_out_has_estimates_without_errors(scores):
    rows = components_of(scores, "p").set_index("quantity")
    for kind in ("variance", "loading", "ability", "anchored_ability"):
        assert rows.loc[kind, "estimate"].notna().all()
        assert rows.loc[kind, "standard_error"].isna().all()
        assert rows.loc[kind, "ci_low"].isna().all()
    assert rows.loc["median_congruence", "estimate"].isna().all()
    assert rows.loc["smallest_congruence", "left_out_lineage_id"].isna().all()
    assert "ability_replicate" not in rows.index
    assert "anchored_replicate" not in rows.index


def test_a_score_that_is_no_number_is_named_with_its_panel():
    scores = panel()
    scores.loc[1, "score"] = np.inf
    with pytest.raises(EstimationError, match=r"panel 'p': row 0 has the score inf in column 'b1'"):
        components_of(scores, "p")


def paired_values() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    count = 8
    return pd.DataFrame(
        {
            "estimand": ["gain"] * count + ["dose_response"] * count,
            "target_kind": "benchmark",
            "target": "b",
            "model_id": [f"m{i}" for i in range(count)] * 2,
            "lineage_id": [*"aabbccdd"] * 2,
            "developer": [*"xyxyzzxy"] * 2,
            "value": generator.normal(size=2 * count),
            "dose": [np.nan] * count + list(generator.normal(size=count)),
        }
    )


def test_paired_effects_are_the_same_in_whatever_order_values_come():
    values = paired_values()
    rows = int_paired_effects.paired_effects(values)
    assert list(rows["estimand"]) == ["dose_response", "gain"]
    assert rows["estimate"].iloc[1] == pytest.approx(
        values[values["estimand"] == "gain"]
        .groupby(["lineage_id", "developer"])["value"]
        .mean()
        .mean()
    )
    shuffled = values.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(int_paired_effects.paired_effects(shuffled), rows, rtol=1e-12)


def test_no_paired_values_make_an_empty_table_of_the_same_columns():
    rows = int_paired_effects.paired_effects(paired_values().iloc[:0])
    assert {name: str(kind) for name, kind in rows.dtypes.items()} == int_paired_effects.COLUMNS


def test_a_paired_value_that_is_no_number_is_named():
    values = paired_values()
    values.loc[3, "value"] = np.inf
    with pytest.raises(EstimationError, match="gain benchmark b: pair 3: its value inf"):
        int_paired_effects.paired_effects(values)
