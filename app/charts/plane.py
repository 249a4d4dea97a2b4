"""Plane: models as points between two sides, with their names where there is room for them."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import altair as alt
import numpy as np

from app.charts.marks import GREY

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

NAME_HEIGHT: Final = 13
"""Pixels that the name of a model takes upwards."""

NAME_RISE: Final = 7
"""Pixels from a point up to the middle of its name, so that no error bar strikes it through."""

ENDS: Final[tuple[tuple[Literal["left", "right"], int], ...]] = (("left", 6), ("right", -6))
"""Which end of a name is at its point, and how far from it in pixels."""

MARGIN: Final = 0.04
"""Share of a side that is left free at both of its ends."""


class Side(NamedTuple):
    """A side of a plot: the values drawn along it, and where on it they are."""

    column: str
    """The column whose values are the positions of the points."""
    low: float
    high: float
    """Values at the ends of the side."""
    pixels: float
    """Length of the side; where it depends on the window, that in a narrow one."""

    @property
    def scale(self) -> alt.Scale:
        """The scale that draws values where `places` says."""
        return alt.Scale(domain=[self.low, self.high], nice=False, zero=False)

    def places(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Pixels from the low end to each row's value."""
        values: NDArray[np.float64] = frame[self.column].to_numpy(dtype=float)
        return self.pixels * (values - self.low) / (self.high - self.low)


def side_around(column: str, *drawn: pd.Series[float], pixels: float) -> Side:
    """A side along which everything that is drawn has its place; unknown values need none."""
    low = float(min(values.min() for values in drawn if values.notna().any()))
    high = float(max(values.max() for values in drawn if values.notna().any()))
    margin = MARGIN * (high - low) or 1.0
    return Side(column, low - margin, high + margin, pixels)


def _text_width(text: str) -> float:
    """Width of a text in pixels at a font size of 11, counting full-width characters twice."""
    wide = sum(unicodedata.east_asian_width(character) in "FW" for character in text)
    return 6.0 * (len(text) + wide)


def with_room_for_names(frame: pd.DataFrame, across: Side, upright: Side) -> pd.DataFrame:
    """The rows whose name can be written beside their point without covering another name.

    The names of the points farthest from the middle are placed first, since those are the ones
    people ask about; every point tells its name when pointed at. The column `align` of the result
    says which end of the name is at the point: left, or right for points near the right edge.
    """
    points, heights = across.places(frame), upright.places(frame)
    widths = np.array([10 + _text_width(label) for label in frame["label"]])
    is_flipped = points + widths > across.pixels
    # A name begins a little away from its point, so points in the same place are not in its way.
    lefts = np.where(is_flipped, points - widths, points + 5)
    rights = np.where(is_flipped, points - 5, points + widths)
    from_middle = np.hypot(points / across.pixels - 0.5, heights / upright.pixels - 0.5)
    chosen: list[int] = []
    for i in np.argsort(-from_middle):
        covers_a_name = any(
            lefts[i] < rights[other]
            and lefts[other] < rights[i]
            and abs(heights[i] - heights[other]) < NAME_HEIGHT
            for other in chosen
        )
        is_in_the_way = (points > lefts[i]) & (points < rights[i])
        is_in_the_way &= np.abs(heights - heights[i] - NAME_RISE) < NAME_HEIGHT * 0.7
        if not covers_a_name and not is_in_the_way.any():
            chosen.append(int(i))
    return frame.assign(align=np.where(is_flipped, "right", "left")).iloc[chosen]


def names(frame: pd.DataFrame, across: Side, upright: Side, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Names of models beside their points, those for which there is room."""
    placed = with_room_for_names(frame, across, upright)
    return [
        alt.Chart(placed[placed["align"] == end])
        .mark_text(align=end, dx=distance, dy=-NAME_RISE, fontSize=11, color=GREY)
        .encode(x=x, y=y, text="label:N")
        for end, distance in ENDS
    ]
