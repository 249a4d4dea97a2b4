"""Tables of predictions and plans: what is compared with what, and what is null."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.estimation.errors import EstimationError
from models.intermediate import int_benchmark_plans, int_lineage_predictions
from models.intermediate.int_benchmark_plans import plans_of_panels
from models.intermediate.int_lineage_predictions import lineage_predictions

MODELS = [f"model {i}" for i in range(12)]
LINEAGES = [f"lineage {i // 2}" for i in range(12)]
VALUES = ["panel_id", "target_kind", "target", "left_out_lineage_id", "model_id", "lineage_id"]


class Dbt:
    """What a Python dbt model uses of dbt: `config` and `ref(...).df()`."""

    def __init__(self, **tables: pd.DataFrame) -> None:
        self.tables = tables

    def config(self, **_: str) -> None:
        pass

    def ref(self, name: str) -> Dbt:
        return Dbt(found=self.tables[name])

    def df(self) -> pd.DataFrame:
        return self.tables["found"]


def values(replicates: bool = True) -> pd.DataFrame:
    """Benchmark a of all models, b of all but one, and a component without each lineage."""
    generator = np.random.default_rng(0)
    rows = [
        ("p", "benchmark", benchmark, None, model, lineage, float(generator.uniform()))
        for benchmark in ("a", "b")
        for model, lineage in zip(MODELS, LINEAGES, strict=True)
        if (benchmark, model) != ("b", "model 4")
    ]
    if replicates:
        rows += [
            ("p", "component", "component_1", left_out, model, lineage, float(generator.normal()))
            for left_out in sorted(set(LINEAGES))
            for model, lineage in zip(MODELS, LINEAGES, strict=True)
        ]
    return pd.DataFrame(rows, columns=[*VALUES, "value"])


def predictors() -> pd.DataFrame:
    """All models; those of five lineages have a budget in total, those of two in a language."""
    generator = np.random.default_rng(1)
    known = {"none": 12, "total": 10, "ja": 4}
    return pd.DataFrame(
        [
            {
                "budget_language": language,
                "model_id": model,
                "log10_parameter_count": 9 + generator.normal(),
                "log10_total_train_flop": 22 + generator.normal() if language != "none" else None,
                "log10_train_flop": 20 + generator.normal() if language == "ja" else None,
                "is_trained_on_local_language": bool(number % 3 == 0),
            }
            for language, count in known.items()
            for number, model in enumerate([*MODELS[:count], "a model of no panel"])
        ]
    )


def test_predictors_are_compared_on_the_same_models():
    table = lineage_predictions(values(), predictors())
    errors = table[table["quantity"] == "errors"]
    counts = errors.groupby(["budget_language", "target"])["model_count"].unique()
    assert {key: list(found) for key, found in counts.items()} == {
        ("none", "a"): [12],
        ("none", "b"): [11],
        ("none", "component_1"): [12],
        ("total", "a"): [10],
        ("total", "b"): [9],
        ("total", "component_1"): [10],
        ("ja", "a"): [4],
        ("ja", "b"): [4],
        ("ja", "component_1"): [4],
    }
    compared = errors[errors["target"] == "a"].groupby("budget_language")["predictor"].apply(set)
    without_compute = {"mean", "parameters", "trained_on_local_language"}
    in_total = {"total_compute", "total_compute_and_trained_on_local_language"} | without_compute
    assert compared.to_dict() == {
        "none": without_compute,
        "total": in_total,
        "ja": {"local_compute"} | in_total,
    }
    assert errors.loc[errors["predictor"] == "mean", "skill"].dropna().unique() == [0.0]
    # Two lineages with a budget cannot be predicted from each other.
    assert errors.loc[errors["budget_language"] == "ja", "skill"].isna().all()


def test_rows_of_models_add_up_to_the_errors():
    table = lineage_predictions(values(), predictors())
    key = ["target", "budget_language", "predictor"]
    errors = table[table["quantity"] == "errors"].set_index(key)["mean_absolute_error_by_model"]
    rows = table[table["quantity"] == "prediction"].copy()
    rows["error"] = (rows["value"] - rows["prediction"]).abs()
    found = rows.groupby(key)["error"].mean()
    pd.testing.assert_series_equal(found, errors.dropna().sort_index(), check_names=False)


def test_a_component_is_predicted_as_estimated_without_the_lineage():
    given = values()
    table = lineage_predictions(given, predictors())
    rows = table[
        (table["quantity"] == "prediction")
        & (table["target"] == "component_1")
        & (table["predictor"] == "mean")
        & (table["budget_language"] == "total")
    ].set_index("model_id")
    without = given[given["left_out_lineage_id"] == "lineage 2"].set_index("model_id")["value"]
    assert rows.loc["model 4", "value"] == without["model 4"]
    # Of the models with a budget, those of other lineages.
    others = without[[model for model in MODELS[:10] if model not in ("model 4", "model 5")]]
    assert rows.loc["model 4", "prediction"] == pytest.approx(others.mean())


def test_an_ability_that_cannot_be_estimated_without_a_lineage_is_null():
    given = values()
    given.loc[given["left_out_lineage_id"] == "lineage 2", "value"] = np.nan
    table = lineage_predictions(given, predictors())
    of_component = table[table["target"] == "component_1"]
    assert set(of_component["quantity"]) == {"errors"}
    assert of_component["root_mean_square_error"].isna().all()
    assert table.loc[table["target"] == "a", "root_mean_square_error"].notna().any()
    # The lineage without which it cannot be estimated has no budget here.
    rest = predictors()
    rest = rest[~rest["model_id"].isin(["model 4", "model 5"])]
    table = lineage_predictions(given, rest)
    assert table.loc[table["target"] == "component_1", "root_mean_square_error"].notna().any()


def test_tables_do_not_depend_on_the_order_of_rows():
    shuffled = (frame.sample(frac=1, random_state=1) for frame in (values(), predictors()))
    pd.testing.assert_frame_equal(
        lineage_predictions(*shuffled), lineage_predictions(values(), predictors())
    )
    scores = panel()
    pd.testing.assert_frame_equal(
        plans_of_panels(scores.sample(frac=1, random_state=1), benchmarks()),
        plans_of_panels(scores, benchmarks()),
    )


def panel() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    return pd.DataFrame(
        [
            ("p", model, lineage, benchmark, float(generator.uniform()))
            for model, lineage in zip(MODELS, LINEAGES, strict=True)
            for benchmark in ("a", "b", "c")
        ],
        columns=["panel_id", "model_id", "lineage_id", "benchmark_id", "score"],
    )


def benchmarks() -> pd.DataFrame:
    return pd.DataFrame({"benchmark_id": list("abc"), "item_count": [1_000_000, 10, 10]})


def test_plans_have_a_row_per_size_and_one_per_benchmark():
    table = int_benchmark_plans.model(
        Dbt(int_panel_scores=panel(), int_benchmarks=benchmarks()), None
    )
    counts = table.groupby(["objective", "quantity"]).size()
    assert counts.to_dict() == {
        ("benchmarks", "plan"): 2,
        ("benchmarks", "member"): 6,
        ("items", "plan"): 2,
        ("items", "member"): 6,
    }
    members = table[(table["quantity"] == "member") & (table["benchmark_count"] == 2)]
    of_items = members[members["objective"] == "items"].set_index("benchmark_id")
    # A hundred thousand times the items: never asked first.
    assert of_items["asked_position"].isna().to_dict() == {"a": True, "b": False, "c": False}
    assert sorted(of_items["asked_position"].dropna()) == [1, 2]
    assert of_items["root_mean_square_error"].isna().to_dict() == {"a": False, "b": True, "c": True}
    assert set(table["model_count"]) == {12}


def test_models_that_miss_a_score_take_no_part_in_plans():
    scores = panel()
    missing = (scores["model_id"] == "model 3") & (scores["benchmark_id"] == "b")
    table = plans_of_panels(scores[~missing], benchmarks())
    assert set(table["model_count"]) == {11}
    pd.testing.assert_frame_equal(
        table, plans_of_panels(scores[scores["model_id"] != "model 3"], benchmarks())
    )


def test_a_panel_that_is_too_small_has_null_plans():
    small = panel()[lambda rows: rows["lineage_id"] <= "lineage 2"]
    table = plans_of_panels(small, benchmarks())
    assert table["quantity"].tolist() == ["plan"] * 4
    assert table["root_mean_square_error"].isna().all()
    assert set(table["lineage_count"]) == {3}
    broken = panel().assign(score=np.inf)
    with pytest.raises(EstimationError, match="panel 'p': model 0: its scores"):
        plans_of_panels(broken, benchmarks())


def test_an_empty_input_gives_an_empty_table_with_all_columns():
    predictions = int_lineage_predictions.model(
        Dbt(int_prediction_values=values()[:0], int_predictors=predictors()[:0]), None
    )
    assert predictions.dtypes.astype(str).to_dict() == int_lineage_predictions.COLUMNS
    plans = int_benchmark_plans.model(
        Dbt(int_panel_scores=panel()[:0], int_benchmarks=benchmarks()), None
    )
    assert plans.dtypes.astype(str).to_dict() == int_benchmark_plans.COLUMNS
    assert len(predictions) == len(plans) == 0
