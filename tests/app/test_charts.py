from __future__ import annotations

import math

import pandas as pd
import pytest

from app.charts.marks import TRAINING_TYPE_MARKS
from app.charts.plane import NAME_HEIGHT, Side, side_around, with_room_for_names
from app.wording import TRAINING_TYPE_NAMES


def test_every_training_type_has_its_own_mark():
    assert set(TRAINING_TYPE_MARKS) == set(TRAINING_TYPE_NAMES)
    assert len(set(TRAINING_TYPE_MARKS.values())) == len(TRAINING_TYPE_MARKS)


ACROSS, UPRIGHT = Side("x", 0.0, 1.0, 500), Side("y", 0.0, 1.0, 300)


def test_a_side_has_room_for_all_that_is_drawn_along_it():
    low, high = pd.Series([0.1, math.nan]), pd.Series([0.9, math.nan])
    side = side_around("x", low, high, pd.Series([math.nan]), pixels=500)
    assert side.low < 0.1
    assert side.high > 0.9
    rows = pd.DataFrame({"x": [side.low, 0.5, side.high]})
    assert list(side.places(rows)) == pytest.approx([0, 250, 500])


def test_a_side_about_a_single_value_has_a_length():
    side = side_around("x", pd.Series([2.0]), pixels=500)
    assert side.low < 2 < side.high


def test_names_that_would_cover_each_other_are_left_out():
    crowd = pd.DataFrame({"x": [0.0] * 5 + [1.0], "y": [0.0] * 5 + [1.0], "label": list("abcdef")})
    placed = with_room_for_names(crowd, ACROSS, UPRIGHT)
    assert len(placed) == 2
    assert set(placed["align"]) == {"left", "right"}


def test_names_keep_apart_where_they_are_drawn_and_not_where_the_points_end():
    points = pd.DataFrame({"x": [0.5, 0.5], "y": [0.0, 1.0], "label": ["below", "above"]})
    assert len(with_room_for_names(points, ACROSS, UPRIGHT)) == 2
    high_plot = Side("y", -20.0, 20.0, 300)
    assert len(with_room_for_names(points, ACROSS, high_plot)) == 1


def test_a_name_near_the_right_edge_goes_to_the_left_of_its_point():
    points = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0], "label": ["left", "right"]})
    placed = with_room_for_names(points, ACROSS, UPRIGHT).set_index("label")
    assert placed.loc["left", "align"] == "left"
    assert placed.loc["right", "align"] == "right"


def test_full_width_names_take_more_room():
    points = {"x": [0.0, 60 / 500, 1.0], "y": [0.0, 0.0, 1.0]}
    low_plot = Side("y", 0.0, 1.0, 10 * NAME_HEIGHT)
    for label, is_placed in (("abcdef", True), ("日本語日本語", False)):
        frame = pd.DataFrame({**points, "label": [label, "", ""]})
        assert (label in set(with_room_for_names(frame, ACROSS, low_plot)["label"])) is is_placed
