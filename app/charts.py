"""Charts: figures of marts, as Altair specifications.

Every function takes rows of one query of `app.marts` and draws them; uncertainty is drawn
with every estimate. Hues are those of Okabe and Ito, which people with colour-blindness can tell
apart, and where hue matters a shape says the same.
"""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING, Final, Literal

import altair as alt
import numpy as np

from app.wording import LANGUAGE_NAMES, TRAINING_TYPE_NAMES, intervals, number, unique_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
GREEN: Final = "#009E73"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
PURPLE: Final = "#CC79A7"
GREY: Final = "#7F7F7F"

LANGUAGE_COLOURS: Final = {"ja": VERMILION, "ja-en": GREEN, "en": BLUE}

TRAINING_TYPE_MARKS: Final = {
    "from_scratch_ja": (VERMILION, "circle"),
    "from_scratch_en": (BLUE, "circle"),
    "from_scratch_multi": (GREEN, "circle"),
    "continual_ja": (ORANGE, "triangle-up"),
    "continual_en": (SKY, "triangle-up"),
    "pruned": (PURPLE, "diamond"),
    "upscaled": (PURPLE, "square"),
    "distilled": (PURPLE, "cross"),
    "post_trained": (GREY, "square"),
}
"""Hue and shape of each training type: circles begin from nothing, other shapes from a parent."""

CERTAINTY_FILLS: Final = {"reported": 0.9, "estimated": 0.25, "upper_bound": 0.0}
"""Opacity of the fill of a point, by how certain its compute is."""

FEW_TICKS: Final = alt.Axis(tickCount=8)

LANGUAGES: Final = alt.Color(
    "language_name:N",
    title="Language of the benchmark",
    scale=alt.Scale(domain=list(LANGUAGE_NAMES.values()), range=list(LANGUAGE_COLOURS.values())),
    legend=alt.Legend(orient="top"),
)


def _figure(layers: list[alt.Chart], *, height: int | alt.Step) -> alt.LayerChart:
    """Layers over each other, `height` pixels high with axes and legends."""
    # Flush labels would push the first and last name of an axis into their neighbours.
    config = alt.Config(axis=alt.AxisConfig(labelFlush=False))
    return alt.LayerChart(layer=layers, height=height, config=config)


def _training_hues(frame: pd.DataFrame) -> alt.Scale:
    """Hue by training type, for the types that are in the frame."""
    present = [key for key in TRAINING_TYPE_NAMES if (frame["training_type"] == key).any()]
    return alt.Scale(
        domain=[TRAINING_TYPE_NAMES[key] for key in present],
        range=[TRAINING_TYPE_MARKS[key][0] for key in present],
    )


def _training_types(frame: pd.DataFrame, *, legend_columns: int = 4) -> tuple[alt.Color, alt.Shape]:
    """Hue and shape by training type, with a legend of the types that are in the frame."""
    present = [key for key in TRAINING_TYPE_NAMES if (frame["training_type"] == key).any()]
    names = [TRAINING_TYPE_NAMES[key] for key in present]
    legend = alt.Legend(orient="top", columns=legend_columns, labelLimit=240, symbolOpacity=1)
    shapes = alt.Scale(domain=names, range=[TRAINING_TYPE_MARKS[key][1] for key in present])
    title = "Training"
    return (
        alt.Color("training_name:N", title=title, scale=_training_hues(frame), legend=legend),
        alt.Shape("training_name:N", title=title, scale=shapes, legend=legend),
    )


def _with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with readable names beside the ids: of models, training types and languages."""
    named = frame.copy()
    if "model_name" in named:
        named["label"] = unique_names(named)
    if "training_type" in named:
        named["training_name"] = named["training_type"].map(TRAINING_TYPE_NAMES)
    if "language" in named:
        named["language_name"] = named["language"].map(LANGUAGE_NAMES)
    return named


NAME_HEIGHT: Final = 13
"""Pixels that the name of a model takes upwards."""

SIDES: Final[tuple[tuple[Literal["left", "right"], int], ...]] = (("left", 9), ("right", -9))
"""Which end of a name is at its point, and how far from it in pixels."""


def _text_width(text: str) -> float:
    """Width of a text in pixels at a font size of 11, counting full-width characters twice."""
    wide = sum(unicodedata.east_asian_width(character) in "FW" for character in text)
    return 6.0 * (len(text) + wide)


def with_room_for_labels(
    frame: pd.DataFrame, x: str, y: str, *, width: float, height: float
) -> pd.DataFrame:
    """The rows whose name can be written beside their point without covering another name.

    The names of the points farthest from the middle are placed first, since those are the ones
    people ask about; every point tells its name when pointed at. `width` and `height` are those
    of the plot in pixels. The column `align` of the result says which end of the name is at the
    point: left, or right for points near the right edge.
    """
    across, upright = frame[x].to_numpy(), frame[y].to_numpy()
    points = width * (across - across.min()) / (np.ptp(across) or 1.0)
    bottoms = height * (upright - upright.min()) / (np.ptp(upright) or 1.0)
    widths = np.array([10 + _text_width(label) for label in frame["label"]])
    is_flipped = points + widths > width
    # A name begins a little away from its point, so points in the same place are not in its way.
    lefts = np.where(is_flipped, points - widths, points + 5)
    rights = np.where(is_flipped, points - 5, points + widths)
    from_middle = np.hypot(points / width - 0.5, bottoms / height - 0.5)
    chosen: list[int] = []
    for i in np.argsort(-from_middle):
        covers_a_name = any(
            lefts[i] < rights[other]
            and lefts[other] < rights[i]
            and abs(bottoms[i] - bottoms[other]) < NAME_HEIGHT
            for other in chosen
        )
        is_in_the_way = (points > lefts[i]) & (points < rights[i])
        is_in_the_way &= np.abs(bottoms - bottoms[i]) < NAME_HEIGHT * 0.7
        if not covers_a_name and not is_in_the_way.any():
            chosen.append(int(i))
    return frame.assign(align=np.where(is_flipped, "right", "left")).iloc[chosen]


def _labels(frame: pd.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Names of models beside their points, on the side that `align` says."""
    return [
        alt.Chart(frame[frame["align"] == align])
        .mark_text(align=align, dx=distance, fontSize=11, color=GREY)
        .encode(x=x, y=y, text="label:N")
        for align, distance in SIDES
    ]


def correlation_heatmap(
    correlations: pd.DataFrame, order: Sequence[str], method: str
) -> alt.LayerChart:
    """Correlations of all pairs of benchmarks, in the given order of benchmark names.

    `method` is pearson or spearman. Numbers are printed in cells; they are pale where the 95%
    interval (for Pearson, the one by lineages) includes zero or is unknown. A cell can be picked
    (selection `pair`).
    """
    trusted = "pearson_lineage" if method == "pearson" else method
    cells = correlations.assign(
        correlation=correlations[method],
        interval_low=correlations[f"{trusted}_ci_low"],
        interval_high=correlations[f"{trusted}_ci_high"],
    )
    cells["printed"] = [
        "" if first == second else number(value)
        for first, second, value in zip(
            cells["benchmark_id_1"], cells["benchmark_id_2"], cells["correlation"], strict=True
        )
    ]
    cells["interval"] = intervals(cells[f"{method}_ci_low"], cells[f"{method}_ci_high"])
    cells["lineage_interval"] = intervals(
        cells["pearson_lineage_ci_low"], cells["pearson_lineage_ci_high"]
    )
    pick = alt.selection_point(
        name="pair", fields=["benchmark_id_1", "benchmark_id_2"], on="click", empty=False
    )
    tooltip = [
        alt.Tooltip("benchmark_name_1:N", title="Benchmark"),
        alt.Tooltip("benchmark_name_2:N", title="and"),
        alt.Tooltip("correlation:Q", title=method.capitalize(), format=".3f"),
        alt.Tooltip("interval:N", title="95% interval"),
        alt.Tooltip("lineage_interval:N", title="of Pearson, by lineages"),
        alt.Tooltip("q_value:Q", title="q (of Pearson)", format=".2g"),
        alt.Tooltip("model_count:Q", title="Models"),
        alt.Tooltip("lineage_count:Q", title="Lineages"),
    ]
    axis = alt.Axis(labelLimit=160, labelOverlap=False, ticks=False, domain=False)
    base = alt.Chart(cells).encode(
        x=alt.X("benchmark_name_1:N", title=None, sort=list(order), axis=axis),
        y=alt.Y("benchmark_name_2:N", title=None, sort=list(order), axis=axis),
        tooltip=tooltip,
    )
    squares = (
        base.mark_rect(stroke="white", strokeWidth=1)
        .encode(
            color=alt.Color(
                "correlation:Q",
                title=f"{method.capitalize()} correlation",
                scale=alt.Scale(domain=[-1, 0, 1], range=[BLUE, "#F7F7F7", ORANGE]),
                legend=alt.Legend(orient="right", gradientLength=240),
            ),
            strokeWidth=alt.condition(pick, alt.value(4), alt.value(1)),
            stroke=alt.condition(pick, alt.value("black"), alt.value("white")),
        )
        .add_params(pick)
    )
    includes_zero = "datum.interval_low === null || datum.interval_low * datum.interval_high <= 0"
    numbers = base.mark_text(fontSize=10).encode(
        text="printed:N",
        color=alt.condition(includes_zero, alt.value("#666666"), alt.value("black")),
    )
    return _figure([squares, numbers], height=620)


def pair_scatter(pairs: pd.DataFrame, name_1: str, name_2: str) -> alt.LayerChart:
    """Scores of models on two benchmarks, with the 95% intervals of both scores."""
    points = _with_names(pairs)
    x = alt.X(
        "score_1:Q",
        title=f"{name_1} (score, 0–1)",
        scale=alt.Scale(zero=False),
        axis=FEW_TICKS,
    )
    y = alt.Y(
        "score_2:Q",
        title=f"{name_2} (score, 0–1)",
        scale=alt.Scale(zero=False),
        axis=FEW_TICKS,
    )
    colour, shape = _training_types(points)
    base = alt.Chart(points)
    rules = base.mark_rule(opacity=0.35)
    across = rules.encode(x=alt.X("ci_low_1:Q", title=""), x2="ci_high_1:Q", y=y, color=colour)
    upright = rules.encode(x=x, y=alt.Y("ci_low_2:Q", title=""), y2="ci_high_2:Q", color=colour)
    marks = base.mark_point(filled=True, size=75, opacity=0.9).encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        tooltip=[
            alt.Tooltip("label:N", title="Model"),
            alt.Tooltip("training_name:N", title="Training"),
            alt.Tooltip("score_1:Q", title=name_1, format=".3f"),
            alt.Tooltip("ci_low_1:Q", title="from", format=".3f"),
            alt.Tooltip("ci_high_1:Q", title="to", format=".3f"),
            alt.Tooltip("score_2:Q", title=name_2, format=".3f"),
            alt.Tooltip("ci_low_2:Q", title="from", format=".3f"),
            alt.Tooltip("ci_high_2:Q", title="to", format=".3f"),
        ],
    )
    names = _labels(with_room_for_labels(points, "score_1", "score_2", width=750, height=320), x, y)
    return _figure([across, upright, marks, *names], height=520)


def explained_variance(variances: pd.DataFrame, component_index: int) -> alt.LayerChart:
    """Share of the variance of every component with its 95% interval, one of them highlighted."""
    x = alt.X("component_index:O", title="Component", axis=alt.Axis(labelAngle=0))
    tooltip = [
        alt.Tooltip("component_index:O", title="Component"),
        alt.Tooltip("explained_variance_ratio:Q", title="Explains", format=".1%"),
        alt.Tooltip("ratio_ci_low:Q", title="95% interval from", format=".1%"),
        alt.Tooltip("ratio_ci_high:Q", title="95% interval to", format=".1%"),
        alt.Tooltip("cumulative_ratio:Q", title="With all before it", format=".1%"),
    ]
    base = alt.Chart(variances)
    bars = base.mark_bar().encode(
        x=x,
        y=alt.Y(
            "explained_variance_ratio:Q",
            title="Share of the variance explained",
            axis=alt.Axis(format=".0%"),
        ),
        color=alt.condition(
            f"datum.component_index === {component_index}", alt.value(BLUE), alt.value("#A9C8DE")
        ),
        tooltip=tooltip,
    )
    rules = base.mark_rule(strokeWidth=1.5).encode(
        x=x, y=alt.Y("ratio_ci_low:Q", title=""), y2="ratio_ci_high:Q", tooltip=tooltip
    )
    return _figure([bars, rules], height=460)


def loadings(rows: pd.DataFrame, component_index: int) -> alt.LayerChart:
    """Loadings of one component with their 95% intervals, in the order of the rows."""
    named = _with_names(rows)
    y = alt.Y(
        "benchmark_name:N",
        title=None,
        sort=list(named["benchmark_name"]),
        axis=alt.Axis(labelLimit=160, labelOverlap=False),
    )
    tooltip = [
        alt.Tooltip("benchmark_name:N", title="Benchmark"),
        alt.Tooltip("skill:N", title="Skill"),
        alt.Tooltip("loading:Q", title="Loading", format=".3f"),
        alt.Tooltip("loading_ci_low:Q", title="95% interval from", format=".3f"),
        alt.Tooltip("loading_ci_high:Q", title="95% interval to", format=".3f"),
    ]
    base = alt.Chart(named)
    bars = base.mark_bar(opacity=0.75).encode(
        x=alt.X(
            "loading:Q",
            title=f"Loading: correlation of the benchmark with component {component_index}",
            scale=alt.Scale(domain=[-1, 1]),
        ),
        y=y,
        color=LANGUAGES,
        tooltip=tooltip,
    )
    rules = base.mark_rule(strokeWidth=1.5).encode(
        x=alt.X("loading_ci_low:Q", title=""), x2="loading_ci_high:Q", y=y, tooltip=tooltip
    )
    return _figure([bars, rules], height=460)


def abilities(rows: pd.DataFrame, component_index: int) -> alt.LayerChart:
    """Abilities of models on one component with one standard error to each side.

    The models stand below each other in the order of the rows.
    """
    named = _with_names(rows)
    colour, shape = _training_types(named)
    y = alt.Y(
        "label:N",
        title=None,
        sort=list(named["label"]),
        axis=alt.Axis(labelLimit=260, grid=True, labelOverlap=False),
    )
    x = alt.X(
        "ability:Q",
        title=f"Ability on component {component_index} (standard deviations), ±1 standard error",
    )
    base = alt.Chart(named).encode(y=y)
    bars = base.mark_errorbar(thickness=1.5).encode(
        x=x, xError="ability_standard_error:Q", color=colour
    )
    marks = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=x,
        color=colour,
        shape=shape,
        tooltip=[
            alt.Tooltip("label:N", title="Model"),
            alt.Tooltip("training_name:N", title="Training"),
            alt.Tooltip("ability:Q", title="Ability", format=".2f"),
            alt.Tooltip("ability_standard_error:Q", title="Standard error", format=".2f"),
            alt.Tooltip("estimation_standard_error:Q", title="of that, estimation", format=".2f"),
            alt.Tooltip("item_standard_error:Q", title="finitely many items", format=".2f"),
            alt.Tooltip("missing_standard_error:Q", title="missing scores", format=".2f"),
        ],
    )
    return _figure([bars, marks], height=alt.Step(17))


def ability_map(
    across: pd.DataFrame, upright: pd.DataFrame, names: tuple[str, str]
) -> alt.LayerChart:
    """Models on the plane of two components, with one standard error to each side."""
    named = _with_names(across).merge(
        upright[["model_id", "ability", "ability_standard_error"]],
        on="model_id",
        suffixes=("_1", "_2"),
    )
    colour, shape = _training_types(named)
    x = alt.X("ability_1:Q", title=f"{names[0]} (standard deviations)")
    y = alt.Y("ability_2:Q", title=f"{names[1]} (standard deviations)")
    base = alt.Chart(named)
    bars_across = base.mark_errorbar(opacity=0.35).encode(
        x=x, y=y, xError="ability_standard_error_1:Q", color=colour
    )
    bars_upright = base.mark_errorbar(opacity=0.35).encode(
        x=x, y=y, yError="ability_standard_error_2:Q", color=colour
    )
    marks = base.mark_point(filled=True, size=75, opacity=0.95).encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        tooltip=[
            alt.Tooltip("label:N", title="Model"),
            alt.Tooltip("training_name:N", title="Training"),
            alt.Tooltip("ability_1:Q", title=names[0], format=".2f"),
            alt.Tooltip("ability_standard_error_1:Q", title="± standard error", format=".2f"),
            alt.Tooltip("ability_2:Q", title=names[1], format=".2f"),
            alt.Tooltip("ability_standard_error_2:Q", title="± standard error", format=".2f"),
        ],
    )
    labelled = with_room_for_labels(named, "ability_1", "ability_2", width=750, height=370)
    return _figure([bars_across, bars_upright, marks, *_labels(labelled, x, y)], height=620)


SUPERSCRIPTS: Final = "['⁰','¹','²','³','⁴','⁵','⁶','⁷','⁸','⁹']"
POWER_LABEL: Final = (
    "(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)) > 1.5 ? '3×10' : '10')"
    f" + {SUPERSCRIPTS}[floor((log(datum.value) / LN10 + 1e-9) / 10)]"
    f" + {SUPERSCRIPTS}[floor(log(datum.value) / LN10 + 1e-9) % 10]"
)
"""Vega expression that writes 1e22 as 10²² and 3e22 as 3×10²²."""


def scaling(
    points: pd.DataFrame, curve: pd.DataFrame, *, value_title: str, compute_title: str
) -> alt.LayerChart:
    """Values of models against training compute, with the fitted line and its 95% band.

    Points are filled by certainty of the compute; the bars are bounds of compute where they are
    known, and one standard error of the value.
    """
    named = _with_names(points)
    colour, shape = _training_types(named, legend_columns=3)
    hues = _training_hues(named)
    smallest = math.floor(float(named["log10_train_flop"].min()))
    largest = math.ceil(float(named["log10_train_flop"].max()))
    ticks = [
        multiple * 10.0**exponent
        for exponent in range(smallest, largest + 1)
        for multiple in (1, 3)
    ]
    x = alt.X(
        "train_flop:Q",
        title=f"{compute_title} (floating-point operations, log scale)",
        scale=alt.Scale(type="log", nice=False, padding=12),
        axis=alt.Axis(values=ticks, labelExpr=POWER_LABEL),
    )
    y = alt.Y("value:Q", title=value_title, scale=alt.Scale(zero=False))
    fill = alt.FillOpacity(
        "certainty:N",
        scale=alt.Scale(
            domain=list(CERTAINTY_FILLS), range=[CERTAINTY_FILLS[key] for key in CERTAINTY_FILLS]
        ),
        legend=None,
    )
    drawn = alt.Chart(curve).transform_calculate(train_flop="pow(10, datum.log10_train_flop)")
    band = drawn.mark_area(opacity=0.15, color=GREY).encode(
        x=x, y=alt.Y("band_low:Q", title=""), y2="band_high:Q"
    )
    line = drawn.mark_line(color=GREY).encode(x=x, y=alt.Y("fitted:Q", title=""))
    base = alt.Chart(named)
    bounds = (
        base.transform_filter("isValid(datum.train_flop_low) && isValid(datum.train_flop_high)")
        .mark_rule(opacity=0.4)
        .encode(x=alt.X("train_flop_low:Q", title=""), x2="train_flop_high:Q", y=y, color=colour)
    )
    errors = base.mark_errorbar(opacity=0.4).encode(
        x=x, y=y, yError="value_standard_error:Q", color=colour
    )
    marks = base.mark_point(size=80, opacity=1, strokeWidth=1.5).encode(
        x=x,
        y=y,
        color=colour,
        fill=alt.Fill("training_name:N", title="Training", scale=hues, legend=None),
        shape=shape,
        fillOpacity=fill,
        tooltip=[
            alt.Tooltip("label:N", title="Model"),
            alt.Tooltip("training_name:N", title="Training"),
            alt.Tooltip("train_flop:Q", title="Compute", format=".2e"),
            alt.Tooltip("train_flop_low:Q", title="at least", format=".2e"),
            alt.Tooltip("train_flop_high:Q", title="at most", format=".2e"),
            alt.Tooltip("certainty:N", title="Compute is"),
            alt.Tooltip("value:Q", title=value_title, format=".3f"),
            alt.Tooltip("value_standard_error:Q", title="± standard error", format=".3f"),
        ],
    )
    labelled = with_room_for_labels(named, "log10_train_flop", "value", width=560, height=360)
    names = _labels(labelled, x, y)
    return _figure([band, line, bounds, errors, marks, *names], height=540)
