"""Text functions: what scoring rules need of texts that DuckDB's SQL does not offer.

Each takes columns and returns one. Null where an argument is null: DuckDB does not call them then.
All follow one version of Unicode, that of `warehouse.unicode_version`.
"""

from __future__ import annotations

import re
import string
import unicodedata
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz.distance import Indel

from warehouse.unicode_version import has_unassigned, in_assigned, without_unassigned

if TYPE_CHECKING:
    from collections.abc import Callable

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_NO_WORD = re.compile(r"\W")
_LATIN_1 = {code: None for code in range(0x80, 0x100)}


def nfkc(text: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Unicode's normalisation form KC: full-width letters and digits become plain ones."""
    if pc.any(has_unassigned(text)).as_py():
        return pa.array(_each(text, lambda part: unicodedata.normalize("NFKC", part)), pa.string())
    return pc.utf8_normalize(text, form="NFKC")


def _each(text: pa.ChunkedArray, function: Callable[[str], str]) -> list[str]:
    """`function` of each text, of its parts where it has unassigned characters."""
    values = text.to_pylist()
    is_special = has_unassigned(text)
    if not pc.any(is_special).as_py():
        return [function(value) for value in values]
    return [
        in_assigned(function, value) if special else function(value)
        for value, special in zip(values, is_special.to_pylist(), strict=True)
    ]


def full_lower(text: pa.ChunkedArray) -> pa.Array:
    """Lower case by Unicode's full mapping, as Python's; SQL's lower() maps letter by letter."""
    return pa.array(_each(text, str.lower), pa.string())


def squad_form(text: pa.ChunkedArray) -> pa.Array:
    """The form in which SQuAD compares answers.

    Lower case, without ASCII punctuation, without the words a, an and the, with single spaces
    (Rajpurkar et al. 2016, arXiv 1606.05250, section 6.1). Words end where Unicode says so, which
    the regular expressions of SQL do not know.
    """
    forms = [" ".join(value.split()) for value in _each(text, _without_articles)]
    return pa.array(forms, pa.string())


def _without_articles(text: str) -> str:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))


def token_sort_ratio(first: pa.ChunkedArray, second: pa.ChunkedArray) -> pa.Array:
    """Likeness of two texts in percent, as whole numbers: what the references call char_f1.

    The number of fuzzywuzzy 0.18 (`fuzz.token_sort_ratio`, with python-Levenshtein): letters of
    Latin-1 beyond ASCII are dropped, words are sorted, and the rest is compared by insertions and
    deletions; 100 where both come out empty, 0 where one does.
    """
    ratios = [
        _ratio(_sorted_words(one), _sorted_words(other))
        for one, other in zip(_assigned(first), _assigned(second), strict=True)
    ]
    return pa.array(ratios, pa.int32())


def _assigned(text: pa.ChunkedArray) -> list[str]:
    """The texts, with spaces for what is unassigned: no letter either, and so the end of a word."""
    values: list[str] = text.to_pylist()
    is_special = has_unassigned(text)
    if not pc.any(is_special).as_py():
        return values
    return [
        without_unassigned(value) if special else value
        for value, special in zip(values, is_special.to_pylist(), strict=True)
    ]


def _sorted_words(text: str) -> str:
    words = _NO_WORD.sub(" ", text.translate(_LATIN_1)).lower().split()
    return " ".join(sorted(words))


def _ratio(first: str, second: str) -> int:
    if first == second:
        return 100
    if not first or not second:
        return 0
    # As fuzzywuzzy does, which rounds halves to the even number.
    return round(100 * Indel.normalized_similarity(first, second))
