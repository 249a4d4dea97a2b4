"""Scores follow one version of Unicode, whatever Python runs."""

from __future__ import annotations

import hashlib
import sys
import unicodedata

import pyarrow as pa
import pytest

from warehouse.text_functions import full_lower, nfkc, squad_form, token_sort_ratio
from warehouse.unicode_version import UNICODE_VERSION, has_unassigned

LETTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]


def column(texts: list[str]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(texts, pa.string())])


@pytest.mark.slow(seconds=1)
@pytest.mark.skipif(
    unicodedata.unidata_version != UNICODE_VERSION, reason="this Python has another version"
)
def test_the_register_of_unassigned_characters_is_unicodes():
    wrong = [
        letter
        for letter in LETTERS
        if has_unassigned(letter) != (unicodedata.category(letter) == "Cn")
    ]
    assert wrong == []


DIGESTS = {
    "nfkc": "dea7a15b3fa66995",
    "full_lower": "ad9866087312f2fb",
    "squad_form": "535688718def7551",
    "token_sort_ratio": "69489d63dd0e7d0b",
}
"""Of what each function makes of every character between letters; Python 3.11, which has 14.0."""


@pytest.mark.slow(seconds=10)
@pytest.mark.parametrize("name", DIGESTS)
def test_every_character_is_treated_the_same_by_every_python(name):
    # Of those that are unassigned one in a hundred.
    letters = [letter for letter in LETTERS if ord(letter) % 100 == 0 or not has_unassigned(letter)]
    texts = column([f"Σ{letter}Σ the{letter}an" for letter in letters])
    if name == "token_sort_ratio":
        plain = column(["Σ Σ the an"] * len(letters))
        found = token_sort_ratio(texts, plain).to_pylist()
    else:
        function = {"nfkc": nfkc, "full_lower": full_lower, "squad_form": squad_form}[name]
        found = function(texts).to_pylist()
    digest = hashlib.sha256("\n".join(map(str, found)).encode()).hexdigest()[:16]
    assert digest == DIGESTS[name]


LATER = {
    "\U0001e030": "MODIFIER LETTER CYRILLIC SMALL A, of 15.0, compatible with its plain one",
    "\U0001ccd6": "OUTLINED LATIN CAPITAL LETTER A, of 16.0, compatible with A",
    "\ua7cb": "LATIN CAPITAL LETTER RAMS HORN, of 16.0, with a small letter",
    "\U00031350": "a Chinese character of 15.0, a letter",
}


@pytest.mark.parametrize("letter", LATER)
def test_what_is_assigned_later_is_left_as_it_is(letter):
    assert nfkc(column([f"\uff21{letter}\uff21"])).to_pylist() == [f"A{letter}A"]
    assert full_lower(column([f"AΣ{letter}A"])).to_pylist() == [f"aς{letter}a"]
    # It ends a word, as what is no letter does.
    assert squad_form(column([f"the{letter}An x"])).to_pylist() == [f"{letter} x"]
    assert token_sort_ratio(column([f"b{letter}a"]), column(["a b"])).to_pylist() == [100]
