"""Correlations: how benchmarks go together, and the models behind one pair of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import altair as alt

from app.charts.marks import BLUE, ORANGE, figure, told, told_of_model, training_types, with_names
from app.charts.plane import names, side_around
from app.wording import as_shown, intervals, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

SCORE_PARTS: Final = ("score", "ci_low", "ci_high")
"""What is drawn of the score on either benchmark of a pair."""

FEW_TICKS: Final = alt.Axis(tickCount=8)


def correlation_heatmap(
    correlations: pd.DataFrame, order: Sequence[str], method: str
) -> alt.LayerChart:
    """Correlations of all pairs of benchmarks, in the given order of benchmark names.

    `method` is pearson or spearman. Numbers are printed in cells; they are pale where the 95%
    interval (for Pearson, the one by lineages) includes zero or is unknown. A cell can be picked
    (selection `pair`).
    """
    axis = alt.Axis(labelLimit=160, labelOverlap=False, ticks=False, domain=False)
    base = alt.Chart(_cells(correlations, method)).encode(
        x=alt.X("benchmark_name_1:N", title=None, sort=list(order), axis=axis),
        y=alt.Y("benchmark_name_2:N", title=None, sort=list(order), axis=axis),
        tooltip=_told_of_cell(method.capitalize()),
    )
    return figure([_squares(base, method.capitalize()), _numbers(base)], height=620)


def _cells(correlations: pd.DataFrame, method: str) -> pd.DataFrame:
    """The rows with what is drawn of a cell: its correlation, what to trust of it, and texts."""
    trusted = "pearson_lineage" if method == "pearson" else method
    is_diagonal = correlations["benchmark_id_1"] == correlations["benchmark_id_2"]
    return as_shown(correlations).assign(
        correlation=correlations[method],
        trusted_low=correlations[f"{trusted}_ci_low"],
        trusted_high=correlations[f"{trusted}_ci_high"],
        printed=correlations[method].map(number).mask(is_diagonal, ""),
        interval=intervals(correlations[f"{method}_ci_low"], correlations[f"{method}_ci_high"]),
        lineage_interval=intervals(
            correlations["pearson_lineage_ci_low"], correlations["pearson_lineage_ci_high"]
        ),
    )


def _told_of_cell(method_name: str) -> list[alt.Tooltip]:
    """What a cell tells when pointed at."""
    return [
        alt.Tooltip("benchmark_name_1:N", title="Benchmark"),
        alt.Tooltip("benchmark_name_2:N", title="and"),
        *told(("correlation", method_name, ".3f")),
        alt.Tooltip("interval:N", title="95% interval"),
        alt.Tooltip("lineage_interval:N", title="of Pearson, by lineages"),
        *told(
            ("q_value", "q (of Pearson)", ".2g"),
            ("model_count", "Models", "d"),
            ("lineage_count", "Lineages", "d"),
        ),
    ]


def _squares(base: alt.Chart, method_name: str) -> alt.Chart:
    """Cells with the hue of their correlation, which can be picked."""
    pick = alt.selection_point(
        name="pair", fields=["benchmark_id_1", "benchmark_id_2"], on="click", empty=False
    )
    hues = alt.Color(
        "correlation:Q",
        title=f"{method_name} correlation",
        scale=alt.Scale(domain=[-1, 0, 1], range=[BLUE, "#F7F7F7", ORANGE]),
        legend=alt.Legend(orient="right", gradientLength=240),
    )
    squares: alt.Chart = base.mark_rect().add_params(pick)
    return squares.encode(
        color=hues,
        strokeWidth=alt.condition(pick, alt.value(4), alt.value(1)),
        stroke=alt.condition(pick, alt.value("black"), alt.value("white")),
    )


def _numbers(base: alt.Chart) -> alt.Chart:
    """Correlations as numbers, pale where they could as well be zero."""
    could_be_zero = "datum.trusted_low === null || datum.trusted_low * datum.trusted_high <= 0"
    numbers: alt.Chart = base.mark_text(fontSize=10).encode(
        text="printed:N",
        color=alt.condition(could_be_zero, alt.value("#666666"), alt.value("black")),
    )
    return numbers


def pair_scatter(pairs: pd.DataFrame, name_1: str, name_2: str) -> alt.LayerChart:
    """Scores of models on two benchmarks, with the 95% intervals of both scores."""
    points = with_names(pairs)
    across, upright = (
        side_around(f"score_{i}", *(points[f"{part}_{i}"] for part in SCORE_PARTS), pixels=pixels)
        for i, pixels in ((1, 750), (2, 360))
    )
    x = alt.X("score_1:Q", title=f"{name_1} (score, 0–1)", scale=across.scale, axis=FEW_TICKS)
    y = alt.Y("score_2:Q", title=f"{name_2} (score, 0–1)", scale=upright.scale, axis=FEW_TICKS)
    training = training_types(points)
    base = alt.Chart(points).encode(color=training.colour)
    rules = base.mark_rule(opacity=0.35)
    bars = [
        rules.encode(x=alt.X("ci_low_1:Q", title=""), x2="ci_high_1:Q", y=y),
        rules.encode(x=x, y=alt.Y("ci_low_2:Q", title=""), y2="ci_high_2:Q"),
    ]
    marks = base.mark_point(filled=True, size=75, opacity=0.9).encode(
        x=x,
        y=y,
        shape=training.shape,
        tooltip=told_of_model(
            ("score_1", f"Score on {name_1}", ".3f"),
            ("ci_low_1", "from", ".3f"),
            ("ci_high_1", "to", ".3f"),
            ("score_2", f"Score on {name_2}", ".3f"),
            ("ci_low_2", "from", ".3f"),
            ("ci_high_2", "to", ".3f"),
        ),
    )
    return figure([*bars, marks, *names(points, across, upright, x, y)], height=520)
