"""Figure: the README's picture of the Japanese component, drawn from the marts as SVG.

Left, what the second component of the study's panel is made of; right, it against the
compute spent on Japanese text. `make figure` writes it anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import altair as alt

from app import marts
from app.charts.components import loading_bars
from app.charts.marks import VERMILION
from app.charts.scaling import trend
from app.snapshot import open_snapshot

if TYPE_CHECKING:
    from app.snapshot import Snapshot

PANEL: Final = "paper_35"
COMPONENT: Final = 2
LANGUAGE: Final = "ja"


def japanese_component(snapshot: Snapshot) -> alt.HConcatChart:
    """Loadings of component 2 beside the abilities on it against Japanese training compute."""
    left = alt.layer(
        *loading_bars(
            marts.component_loadings(snapshot, PANEL, COMPONENT),
            alt.X(
                "loading:Q",
                title=f"Correlation of the benchmark with component {COMPONENT}",
                scale=alt.Scale(domain=[-1, 1]),
            ),
        )
    )

    target = f"component_{COMPONENT}"
    points = marts.scaling_points(snapshot, PANEL, target, LANGUAGE)
    curve = marts.scaling_curve(snapshot, PANEL, target, LANGUAGE)
    x = alt.X(
        "log10_train_flop:Q",
        title="Training compute on Japanese text (powers of ten of operations)",
        scale=alt.Scale(zero=False, padding=30),
    )
    y = alt.Y("value:Q", title=f"Ability on component {COMPONENT}")
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
    right = alt.layer(*trend(curve, x), errors, marks, *names)
    sides = left.properties(width=300, height=380) | right.properties(width=430, height=380)
    # Fonts differ between machines: names at the edges need more room on some than on others.
    figure: alt.HConcatChart = (
        sides.properties(padding=20)
        .configure_view(stroke=None)
        .configure_axis(labelFlush=False, titlePadding=10)
    )
    return figure


def main() -> None:
    """Write the figure to the path given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    path: Path = parser.parse_args().path
    japanese_component(open_snapshot()).save(str(path), format="svg")


if __name__ == "__main__":
    main()
