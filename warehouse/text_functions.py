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
    if pc.all(pc.string_is_ascii(text)).as_py():
        return text
    if any(map(has_unassigned, text.to_pylist())):
        return _each(text, lambda part: unicodedata.normalize("NFKC", part))
    return pc.utf8_normalize(text, form="NFKC")


def _each(text: pa.ChunkedArray, function: Callable[[str], str]) -> pa.Array:
    return pa.array([in_assigned(function, value) for value in text.to_pylist()], pa.string())


def full_lower(text: pa.ChunkedArray) -> pa.Array:
    """Lower case by Unicode's full mapping, as Python's; SQL's lower() maps letter by letter."""
    return _each(text, str.lower)


def squad_form(text: pa.ChunkedArray) -> pa.Array:
    """The form in which SQuAD compares answers.

    Lower case, without ASCII punctuation, without the words a, an and the, with single spaces
    (Rajpurkar et al. 2016, arXiv 1606.05250, section 6.1). Words end where Unicode says so, which
    the regular expressions of SQL do not know.
    """
    forms = (in_assigned(_without_articles, value) for value in text.to_pylist())
    return pa.array([" ".join(form.split()) for form in forms], pa.string())


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
        for one, other in zip(first.to_pylist(), second.to_pylist(), strict=True)
    ]
    return pa.array(ratios, pa.int32())


def _sorted_words(text: str) -> str:
    words = _NO_WORD.sub(" ", without_unassigned(text).translate(_LATIN_1)).lower().split()
    return " ".join(sorted(words))


def _ratio(first: str, second: str) -> int:
    if first == second:
        return 100
    if not first or not second:
        return 0
    # As fuzzywuzzy does, which rounds halves to the even number.
    return round(100 * Indel.normalized_similarity(first, second))
