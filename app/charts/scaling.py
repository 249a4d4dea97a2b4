"""Scaling: what models are worth against the compute they were trained with, and the trend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import altair as alt
import numpy as np

from app.charts.marks import GREY, figure, told, told_of_model, training_types, with_names
from app.charts.plane import Side, names, side_around

if TYPE_CHECKING:
    import pandas as pd

CERTAINTY_FILLS: Final = {"reported": 0.9, "estimated": 0.25}
"""Opacity of the fill of a point, by how certain its compute is. Mere bounds give no point."""

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
    named = with_names(points)
    across = side_around(
        "log10_train_flop",
        *(np.log10(named[f"train_flop{end}"]) for end in ("", "_low", "_high")),
        pixels=560,
    )
    errors = named["value_standard_error"].fillna(0)
    upright = side_around(
        "value",
        *(named["value"] - errors, named["value"] + errors),
        *(curve["band_low"], curve["band_high"]),
        pixels=350,
    )
    x = _compute(across, compute_title)
    y = alt.Y("value:Q", title=value_title, scale=upright.scale)
    return figure(
        [
            *trend(curve.assign(train_flop=10 ** curve["log10_train_flop"]), x),
            *_models(named, x, y, value_title),
            *names(named, across, upright, x, y),
        ],
        height=540,
    )


def _compute(side: Side, title: str) -> alt.X:
    """The axis of training compute, logarithmic, with ticks at 1 and 3 of every power of ten."""
    exponents = range(math.floor(side.low), math.ceil(side.high) + 1)
    return alt.X(
        "train_flop:Q",
        title=f"{title} (floating-point operations, log scale)",
        scale=alt.Scale(type="log", nice=False, domain=[10**side.low, 10**side.high]),
        axis=alt.Axis(
            values=[multiple * 10.0**exponent for exponent in exponents for multiple in (1, 3)],
            labelExpr=POWER_LABEL,
        ),
    )


def trend(curve: pd.DataFrame, x: alt.X) -> list[alt.Chart]:
    """The fitted line over its 95% band."""
    drawn = alt.Chart(curve).encode(x=x)
    return [
        drawn.mark_area(opacity=0.15, color=GREY).encode(
            y=alt.Y("band_low:Q", title=""), y2="band_high:Q"
        ),
        drawn.mark_line(color=GREY).encode(y=alt.Y("fitted:Q", title="")),
    ]


def _models(named: pd.DataFrame, x: alt.X, y: alt.Y, value_title: str) -> list[alt.Chart]:
    """Points with the bounds of their compute and the error of their value."""
    training = training_types(named, legend_columns=3)
    base = alt.Chart(named).encode(y=y, color=training.colour)
    bounds = (
        base.transform_filter("isValid(datum.train_flop_low) && isValid(datum.train_flop_high)")
        .mark_rule(opacity=0.4)
        .encode(x=alt.X("train_flop_low:Q", title=""), x2="train_flop_high:Q")
    )
    errors = base.mark_errorbar(opacity=0.4).encode(x=x, yError="value_standard_error:Q")
    marks = base.mark_point(size=80, opacity=1, strokeWidth=1.5).encode(
        x=x,
        fill=training.fill,
        shape=training.shape,
        fillOpacity=alt.FillOpacity(
            "certainty:N",
            scale=alt.Scale(domain=list(CERTAINTY_FILLS), range=list(CERTAINTY_FILLS.values())),
            legend=None,
        ),
        tooltip=[
            *told_of_model(
                ("train_flop", "Compute", ".2e"),
                ("train_flop_low", "at least", ".2e"),
                ("train_flop_high", "at most", ".2e"),
            ),
            alt.Tooltip("certainty:N", title="Compute is"),
            *told(
                ("value", value_title, ".3f"),
                ("value_standard_error", "± standard error", ".3f"),
            ),
        ],
    )
    return [bounds, errors, marks]
