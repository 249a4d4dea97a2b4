"""Figure: the README's picture of the Japanese component, drawn from the marts as SVG.

Left, what the second component of the study's panel is made of; right, how it grows with the
compute spent on Japanese text. `make figure` writes it anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import altair as alt

from app import marts
from app.charts import BLUE, GREEN, GREY, VERMILION
from app.snapshot import open_snapshot
from app.wording import LANGUAGE_NAMES

if TYPE_CHECKING:
    from app.snapshot import Snapshot

PANEL: Final = "paper_35"
COMPONENT: Final = 2
LANGUAGE: Final = "ja"


def japanese_component(snapshot: Snapshot) -> alt.HConcatChart:
    """Loadings of component 2 beside the abilities on it against Japanese training compute."""
    loadings = marts.component_loadings(snapshot, PANEL, COMPONENT)
    loadings["language_name"] = loadings["language"].map(LANGUAGE_NAMES)
    order = alt.Y("benchmark_name:N", title=None, sort=list(loadings["benchmark_name"]))
    colour = alt.Color(
        "language_name:N",
        title=None,
        scale=alt.Scale(domain=list(LANGUAGE_NAMES.values()), range=[VERMILION, GREEN, BLUE]),
        legend=alt.Legend(orient="top"),
    )
    bars = (
        alt.Chart(loadings)
        .mark_bar(opacity=0.75)
        .encode(
            x=alt.X("loading:Q", title="Correlation of the benchmark with component 2"),
            y=order,
            color=colour,
        )
    )
    intervals = (
        alt.Chart(loadings)
        .mark_rule()
        .encode(x=alt.X("loading_ci_low:Q", title=""), x2="loading_ci_high:Q", y=order)
    )

    target = f"component_{COMPONENT}"
    points = marts.scaling_points(snapshot, PANEL, target, LANGUAGE)
    curve = marts.scaling_curve(snapshot, PANEL, target, LANGUAGE)
    x = alt.X(
        "log10_train_flop:Q",
        title="Training compute on Japanese text (powers of ten of operations)",
        scale=alt.Scale(zero=False, padding=30),
    )
    y = alt.Y("value:Q", title="Ability on component 2")
    band = (
        alt.Chart(curve)
        .mark_area(opacity=0.15, color=GREY)
        .encode(x=x, y=alt.Y("band_low:Q", title=""), y2="band_high:Q")
    )
    line = alt.Chart(curve).mark_line(color=GREY).encode(x=x, y=alt.Y("fitted:Q", title=""))
    marks = (
        alt.Chart(points)
        .mark_point(filled=True, size=60, color=VERMILION, opacity=1)
        .encode(x=x, y=y)
    )
    errors = (
        alt.Chart(points)
        .mark_errorbar(color=VERMILION, opacity=0.5)
        .encode(x=x, y=y, yError="value_standard_error:Q")
    )
    # Names stand below and above their points by turns, so that neighbours keep apart.
    names = [
        alt.Chart(points.iloc[first::2])
        .mark_text(align="left", dx=7, dy=offset, fontSize=10)
        .encode(x=x, y=y, text="model_name:N")
        for first, offset in ((0, 9), (1, -7))
    ]
    left = (bars + intervals).properties(width=300, height=380)
    right = alt.layer(band, line, errors, marks, *names).properties(width=430, height=380)
    figure: alt.HConcatChart = (left | right).configure_view(stroke=None)
    return figure


def main() -> None:
    """Write the figure to the path given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    path: Path = parser.parse_args().path
    japanese_component(open_snapshot()).save(str(path), format="svg")


if __name__ == "__main__":
    main()
