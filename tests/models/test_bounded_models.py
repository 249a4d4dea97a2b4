"""The dbt models of bounded compute: a row for whatever is asked, whatever the rows' order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.estimation.bounded_points import bounded_points
from models.estimation.lineage_lines import least_squares_slopes
from models.intermediate import int_censored_fits, int_slope_bounds, int_slope_sensitivity

SHARES = [0.001, 0.1, 1.0]
KEY = ["panel_id", "target_kind", "target", "budget_language"]


def points() -> pd.DataFrame:
    """Two targets of twelve models, of which seven are known, four bounded and one neither."""
    generator = np.random.default_rng(0)
    flop = 10.0 ** generator.uniform(20.0, 24.0, 12)
    low, high = flop.copy(), flop.copy()
    low[7:], high[7:] = 0.0, 3.0 * flop[7:]
    low[8] = 0.2 * flop[8]
    high[11] = np.nan
    rows = pd.DataFrame(
        {
            "panel_id": "p",
            "target_kind": np.repeat(["anchored", "benchmark"], 12),
            "target": np.repeat(["anchored_1", "b"], 12),
            "budget_language": "ja",
            "model_id": np.tile([f"model {i:02}" for i in range(12)], 2),
            "lineage_id": np.tile(list("aabbccccddde"), 2),
            "value": np.tile(np.log10(flop) / 2.0, 2) + generator.standard_normal(24),
            "train_flop_low": np.tile(low, 2),
            "train_flop_high": np.tile(high, 2),
        }
    )
    # The benchmark has not been asked of one model.
    return rows.drop(index=13)


def replicates(rows: pd.DataFrame) -> pd.DataFrame:
    """Of the anchored ability, with one lineage that has no model in the fits."""
    anchored = rows[rows["target_kind"] == "anchored"]
    tables = [
        anchored.assign(left_out_lineage_id=lineage, value=anchored["value"] + shift)
        for lineage, shift in zip("abcdez", np.linspace(-0.2, 0.3, 6), strict=True)
    ]
    columns = ["panel_id", "target_kind", "target", "left_out_lineage_id", "model_id", "value"]
    return pd.concat(tables)[columns]


def budgets(rows: pd.DataFrame) -> pd.DataFrame:
    """The first two models rest on an assumed share."""
    first = rows.iloc[:2]
    tables = [
        pd.DataFrame(
            {
                "model_id": first["model_id"],
                "budget_language": "ja",
                "share_odds_factor": factor,
                "train_flop": factor * first["train_flop_low"],
            }
        )
        for factor in (0.5, 1.0)
    ]
    return pd.concat(tables)


def test_points_are_arrays_with_each_lineage_left_out():
    rows = points()
    (found,) = bounded_points(rows, replicates(rows))
    assert found.targets == [("anchored", "anchored_1"), ("benchmark", "b")]
    assert found.values.shape == (1 + 6, 2, 12)
    assert found.is_known.tolist() == [True] * 7 + [False] * 5
    assert found.is_bounded.tolist() == [True] * 11 + [False]
    assert [list(count) for count in found.counts(found.is_bounded)] == [[11, 10], [4, 4]]
    full, without_a, *_, without_z = found.values
    assert np.isnan(full).sum() == 1
    assert np.isnan(without_a[:, :2]).all()
    # Replicates where there are some, and the same values elsewhere.
    np.testing.assert_allclose(without_z[0], full[0] + 0.3)
    np.testing.assert_array_equal(without_z[1], full[1])
    np.testing.assert_allclose(without_a[0, 2:], full[0, 2:] - 0.2)
    low, high = found.log10_flop(0.1)
    flop_low, flop_high = rows["train_flop_low"][:12], rows["train_flop_high"][:12]
    np.testing.assert_allclose(10.0 ** low[7:11], (0.9 * flop_low + 0.1 * flop_high)[7:11])
    assert (low[:7] == high[:7]).all()
    assert np.isnan(high[11])


def estimates(rows: pd.DataFrame, values: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        "fits": int_censored_fits.censored_fits(rows, values, SHARES),
        "bounds": int_slope_bounds.slope_bounds(rows, values, SHARES),
        "sensitivity": int_slope_sensitivity.slope_sensitivity(
            rows, values, budgets(points()), [1.5]
        ),
    }


def test_every_key_has_one_row():
    rows = points()
    found = estimates(rows, replicates(rows))
    for name in ("fits", "bounds"):
        table = found[name]
        assert len(table) == 6
        assert not table.duplicated([*KEY, "smallest_share"]).any()
        assert set(table["unbounded_model_count"]) == {1}
        assert set(table["known_model_count"]) == {7, 6}
    table = found["sensitivity"]
    assert len(table) == 2 * (2 + 2)
    assert not table.duplicated([*KEY, "assumption", "factor"]).any()
    assert not table.drop(columns="slope_deviation").isna().any(axis=None)


def test_fits_are_between_the_bounds_and_meet_them_where_compute_is_known():
    rows = points()
    found = estimates(rows, replicates(rows))
    fits, bounds = found["fits"], found["bounds"]
    inside = (bounds["slope_low"] <= fits["slope"] + 1e-9) & (
        fits["slope"] <= bounds["slope_high"] + 1e-9
    )
    assert inside.all()
    at_one = fits["smallest_share"] == 1.0
    for end in ("slope_low", "slope_high"):
        np.testing.assert_allclose(bounds[end][at_one], fits["slope"][at_one], rtol=1e-9)
    # The larger the smallest share, the closer the bounds.
    width = (bounds["slope_high"] - bounds["slope_low"]).to_numpy().reshape(3, 2)
    assert (np.diff(width, axis=0) < 0).all()


def test_a_factor_of_one_is_the_slope_as_it_stands():
    rows = points()
    table = estimates(rows, replicates(rows))["sensitivity"].set_index(["target", "factor"])
    known = rows[(rows["target"] == "b") & (rows["train_flop_low"] == rows["train_flop_high"])]
    x, y = np.log10(known["train_flop_high"].to_numpy()), known["value"].to_numpy()
    assert table.loc[("b", 1.0), "slope"] == pytest.approx(
        float(least_squares_slopes(x, y).slope), rel=1e-12
    )
    assert table.loc[("b", 0.5), "slope"] != pytest.approx(table.loc[("b", 1.0), "slope"])
    # One of the two models of which a share is assumed lacks the benchmark.
    assert table.loc[("b", 0.5), "changed_model_count"] == 1
    assert table.loc[("anchored_1", 0.5), "changed_model_count"] == 2


def test_the_order_of_rows_makes_no_difference():
    rows = points()
    values = replicates(rows)
    shuffled = estimates(rows.sample(frac=1, random_state=1), values.sample(frac=1, random_state=2))
    for name, table in estimates(rows, values).items():
        pd.testing.assert_frame_equal(shuffled[name], table, rtol=1e-12, obj=name)


def test_what_is_too_small_has_rows_of_nulls():
    rows = points()
    small = rows[rows["lineage_id"].isin(["a", "e"])]
    found = estimates(small, replicates(small))
    for table in found.values():
        assert len(table)
        assert table["slope_ci_low"].isna().all()


def test_no_points_give_no_rows_of_the_same_types():
    rows = points()
    modules = (int_censored_fits, int_slope_bounds, int_slope_sensitivity)
    found = estimates(rows.iloc[:0], replicates(rows).iloc[:0])
    for table, module in zip(found.values(), modules, strict=True):
        assert len(table) == 0
        assert table.dtypes.astype(str).to_dict() == module.COLUMNS
