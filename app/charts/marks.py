"""Marks: the hues, shapes and legends that all charts share.

Hues are those of Okabe and Ito, which people with colour-blindness can tell apart, and where hue
matters a shape says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import altair as alt

from app.wording import LANGUAGE_NAMES, TRAINING_TYPE_NAMES, as_shown, unique_names

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

LANGUAGES: Final = alt.Color(
    "language_name:N",
    title="Language of the benchmark",
    scale=alt.Scale(
        domain=list(LANGUAGE_NAMES.values()),
        range=[LANGUAGE_COLOURS[key] for key in LANGUAGE_NAMES],
    ),
    legend=alt.Legend(orient="top"),
)


def figure(layers: Sequence[alt.Chart], *, height: int | alt.Step) -> alt.LayerChart:
    """Layers over each other, `height` pixels high with axes and legends."""
    # Flush labels would push the first and last name of an axis into their neighbours.
    config = alt.Config(axis=alt.AxisConfig(labelFlush=False))
    return alt.LayerChart(layer=list(layers), height=height, config=config)


def with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with readable names beside the ids: of models, training types and languages."""
    named = as_shown(frame)
    if "model_name" in named:
        named["label"] = unique_names(named)
    if "training_type" in named:
        named["training_name"] = named["training_type"].map(TRAINING_TYPE_NAMES)
    if "language" in named:
        named["language_name"] = named["language"].map(LANGUAGE_NAMES)
    return named


class TrainingTypes(NamedTuple):
    """How marks show the training type, with one legend for hue and shape."""

    colour: alt.Color
    fill: alt.Fill
    """For marks with a hollow; it has no legend of its own."""
    shape: alt.Shape


def training_types(frame: pd.DataFrame, *, legend_columns: int = 4) -> TrainingTypes:
    """Hues and shapes of the training types that are in the frame."""
    present = [key for key in TRAINING_TYPE_NAMES if (frame["training_type"] == key).any()]
    names = [TRAINING_TYPE_NAMES[key] for key in present]
    hues, shapes = (
        alt.Scale(domain=names, range=[TRAINING_TYPE_MARKS[key][part] for key in present])
        for part in (0, 1)
    )
    legend = alt.Legend(orient="top", columns=legend_columns, labelLimit=240, symbolOpacity=1)
    field, title = "training_name:N", "Training"
    return TrainingTypes(
        alt.Color(field, title=title, scale=hues, legend=legend),
        alt.Fill(field, title=title, scale=hues, legend=None),
        alt.Shape(field, title=title, scale=shapes, legend=legend),
    )


def told(*numbers: tuple[str, str, str]) -> list[alt.Tooltip]:
    """What a mark tells when pointed at: for each number its column, its name and its format."""
    return [alt.Tooltip(f"{column}:Q", title=title, format=form) for column, title, form in numbers]


def told_of_model(*numbers: tuple[str, str, str]) -> list[alt.Tooltip]:
    """What the mark of a model tells when pointed at: who it is, and numbers."""
    return [
        alt.Tooltip("label:N", title="Model"),
        alt.Tooltip("training_name:N", title="Training"),
        *told(*numbers),
    ]
