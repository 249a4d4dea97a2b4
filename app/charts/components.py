"""Components: what they explain, what they are made of, and where models stand on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt

from app.charts.marks import (
    BLUE,
    LANGUAGES,
    figure,
    told,
    told_of_model,
    training_types,
    with_names,
)
from app.charts.plane import Side, names, side_around

if TYPE_CHECKING:
    import pandas as pd


def explained_variance(variances: pd.DataFrame, component_index: int) -> alt.LayerChart:
    """Share of the variance of every component with its 95% interval, one of them highlighted."""
    x = alt.X("component_index:O", title="Component", axis=alt.Axis(labelAngle=0))
    base = alt.Chart(variances).encode(
        x=x,
        tooltip=[
            alt.Tooltip("component_index:O", title="Component"),
            *told(
                ("explained_variance_ratio", "Explains", ".1%"),
                ("ratio_ci_low", "95% interval from", ".1%"),
                ("ratio_ci_high", "95% interval to", ".1%"),
                ("cumulative_ratio", "With all before it", ".1%"),
            ),
        ],
    )
    bars = base.mark_bar().encode(
        y=alt.Y(
            "explained_variance_ratio:Q",
            title="Share of the variance explained",
            axis=alt.Axis(format=".0%"),
        ),
        color=alt.condition(
            f"datum.component_index === {component_index}", alt.value(BLUE), alt.value("#A9C8DE")
        ),
    )
    rules = base.mark_rule(strokeWidth=1.5).encode(
        y=alt.Y("ratio_ci_low:Q", title=""), y2="ratio_ci_high:Q"
    )
    return figure([bars, rules], height=460)


def loadings(rows: pd.DataFrame, component_index: int) -> alt.LayerChart:
    """Loadings of one component with their 95% intervals, in the order of the rows."""
    title = f"Loading: correlation of the benchmark with component {component_index}"
    return figure(
        loading_bars(rows, alt.X("loading:Q", title=title, scale=alt.Scale(domain=[-1, 1]))),
        height=460,
    )


def loading_bars(rows: pd.DataFrame, x: alt.X) -> list[alt.Chart]:
    """Loadings as bars with their 95% intervals as thin lines, in the order of the rows."""
    named = with_names(rows)
    axis = alt.Axis(labelLimit=160, labelOverlap=False)
    order = list(named["benchmark_name"])
    base = alt.Chart(named).encode(
        y=alt.Y("benchmark_name:N", title=None, sort=order, axis=axis),
        tooltip=[
            alt.Tooltip("benchmark_name:N", title="Benchmark"),
            alt.Tooltip("skill:N", title="Skill"),
            *told(
                ("loading", "Loading", ".3f"),
                ("loading_ci_low", "95% interval from", ".3f"),
                ("loading_ci_high", "95% interval to", ".3f"),
            ),
        ],
    )
    return [
        base.mark_bar(opacity=0.75).encode(x=x, color=LANGUAGES),
        base.mark_rule(strokeWidth=1.5).encode(
            x=alt.X("loading_ci_low:Q", title=""), x2="loading_ci_high:Q"
        ),
    ]


def abilities(rows: pd.DataFrame, component_index: int) -> alt.LayerChart:
    """Abilities of models on one component with one standard error to each side.

    The models stand below each other in the order of the rows.
    """
    named = with_names(rows)
    training = training_types(named)
    x = alt.X(
        "ability:Q",
        title=(
            f"Ability on component {component_index} (standardised score units), ±1 standard error"
        ),
    )
    axis = alt.Axis(labelLimit=260, grid=True, labelOverlap=False)
    base = alt.Chart(named).encode(
        x=x,
        y=alt.Y("label:N", title=None, sort=list(named["label"]), axis=axis),
        color=training.colour,
    )
    bars = base.mark_errorbar(thickness=1.5).encode(xError="ability_standard_error:Q")
    marks = base.mark_point(filled=True, size=60, opacity=1).encode(
        shape=training.shape,
        tooltip=told_of_model(
            ("ability", "Ability", ".2f"),
            ("ability_standard_error", "Standard error", ".2f"),
            ("estimation_standard_error", "of that, estimation", ".2f"),
            ("item_standard_error", "finitely many items", ".2f"),
            ("missing_standard_error", "missing scores", ".2f"),
        ),
    )
    return figure([bars, marks], height=alt.Step(17))


def ability_map(
    across: pd.DataFrame, upright: pd.DataFrame, titles: tuple[str, str]
) -> alt.LayerChart:
    """Models on the plane of two components, with one standard error to each side."""
    named = with_names(across).merge(
        upright[["model_id", "ability", "ability_standard_error"]],
        on="model_id",
        suffixes=("_1", "_2"),
    )
    side_1, side_2 = (_ability_side(named, i, pixels) for i, pixels in ((1, 750), (2, 460)))
    x = alt.X("ability_1:Q", title=f"{titles[0]} (standardised score units)", scale=side_1.scale)
    y = alt.Y("ability_2:Q", title=f"{titles[1]} (standardised score units)", scale=side_2.scale)
    training = training_types(named)
    base = alt.Chart(named).encode(x=x, y=y, color=training.colour)
    bars = base.mark_errorbar(opacity=0.35)
    marks = base.mark_point(filled=True, size=75, opacity=0.95).encode(
        shape=training.shape,
        tooltip=told_of_model(
            ("ability_1", titles[0], ".2f"),
            ("ability_standard_error_1", "± standard error", ".2f"),
            ("ability_2", titles[1], ".2f"),
            ("ability_standard_error_2", "± standard error", ".2f"),
        ),
    )
    return figure(
        [
            bars.encode(xError="ability_standard_error_1:Q"),
            bars.encode(yError="ability_standard_error_2:Q"),
            marks,
            *names(named, side_1, side_2, x, y),
        ],
        height=620,
    )


def _ability_side(named: pd.DataFrame, i: int, pixels: float) -> Side:
    """A side of the map, with room for one standard error about each ability."""
    column = f"ability_{i}"
    error = named[f"ability_standard_error_{i}"].fillna(0)
    return side_around(column, named[column] - error, named[column] + error, pixels=pixels)
