"""The version of Unicode that scores follow, whatever Python and libraries run.

What is a letter, its lower case and its compatible form are looked up in tables that grow with
every version of Unicode: Python 3.11 has those of 14.0, 3.13 has 15.1, and pyarrow its own. What
Unicode says of an assigned character's normal form never changes
(https://www.unicode.org/policies/stability_policy.html); so a text is treated by one version if
characters that it does not assign are left as they are, as that version would.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

UNICODE_VERSION = "14.0.0"
"""That of the oldest Python that the project runs on; no newer one changes a score."""

_RANGES = [
    tuple(int(end, 16) for end in line.split())
    for line in (Path(__file__).parent / "unassigned_in_unicode_14.txt").read_text().splitlines()
    if not line.startswith("#")
]

_CLASS = "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in _RANGES)

_UNASSIGNED = re.compile(f"([{''.join(f'{chr(a)}-{chr(b)}' for a, b in _RANGES)}]+)")


def has_unassigned(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether each text has a character that Unicode 14.0 does not assign."""
    return pc.match_substring_regex(text, pattern=f"[{_CLASS}]")


def in_assigned(function: Callable[[str], str], text: str) -> str:
    """`text` with `function` of each of its parts of assigned characters.

    For functions that see in an unassigned character no more than an end of the text: it is no
    letter, has no other case and no other form, and combines with nothing.
    """
    parts = _UNASSIGNED.split(text)
    # The even ones: split() puts what it found between what was around it.
    parts[::2] = map(function, parts[::2])
    return "".join(parts)


def without_unassigned(text: str) -> str:
    """`text` with a space in place of unassigned characters."""
    return _UNASSIGNED.sub(" ", text)
