"""Text from outside is shown as text, and what people write stays as it is."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from warehouse.outside_text import visible, visible_lines

CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
JOINERS = "\u200c\u200d"
DRAWN = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
EVERYTHING = "".join(map(chr, range(sys.maxunicode + 1)))


def test_every_character_that_acts_or_is_unseen_is_spelt() -> None:
    # One by one: a character that this Python does not know yet may be spelt already.
    for character in EVERYTHING:
        category = unicodedata.category(character)
        if category == "Cn":
            continue
        is_spelt = category in CATEGORIES and character not in JOINERS + DRAWN
        assert (visible(character) != character) == is_spelt, hex(ord(character))


def test_nothing_is_left_that_acts() -> None:
    shown = visible(EVERYTHING)
    assert len(shown.splitlines()) == 1
    assert {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"} == (
        set()
    )
    shown.encode()


@pytest.mark.parametrize(
    "text",
    [
        "日本語の文章、記号（全角）\u3000と半角",
        "か\u3099 e\u0301 नमस्ते",
        "👩\u200d👩\u200d👧 🏳️\u200d🌈 1️⃣",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\\frac{1}{2} <b> [bold] ![image](x)",
    ],
)
def test_what_people_read_is_left_alone(text) -> None:
    assert visible(text) == text
    assert visible_lines(f"{text}\n\t{text}\r\n") == f"{text}\n\t{text}\r\n"


def test_signs_are_spelt_as_python_spells_them() -> None:
    text = "\x1b[31m\x07\u202e\u2066\x9b\ufeff\ud800\U000e0041\t\n"
    assert visible(text) == r"\x1b[31m\x07\u202e\u2066\x9b\ufeff\ud800\U000e0041\t\n"
    assert visible_lines("a\rb\r\nc\td\n") == "a\\rb\r\nc\td\n"
