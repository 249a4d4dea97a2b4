"""The version of Unicode that scores follow, whatever Python and libraries run.

What is a letter, its lower case and its compatible form are looked up in tables that grow with
every version of Unicode: Python 3.11 has those of 14.0, 3.13 has 15.1, and pyarrow its own. What
Unicode says of an assigned character's normal form never changes
(https://www.unicode.org/policies/stability_policy.html); so a text is treated by one version if
characters that it does not assign are left as they are, as that version would.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

UNICODE_VERSION = "14.0.0"
"""That of the oldest Python that the project runs on; no newer one changes a score."""

_RANGES = [
    (int(line.split()[0], 16), int(line.split()[1], 16))
    for line in (Path(__file__).parent / "unassigned_in_unicode_14.txt").read_text().splitlines()
    if not line.startswith("#")
]

_LAST_OF_PLANE_0 = 0xFFFF


def _class(ranges: list[tuple[int, int]]) -> str:
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


_UNASSIGNED = re.compile(f"([{_class(_RANGES)}]+)")

_SUSPECT = re.compile(
    "["
    + _class([one for one in _RANGES if one[1] <= _LAST_OF_PLANE_0])
    + _class([(_LAST_OF_PLANE_0 + 1, sys.maxunicode)])
    + "]"
)
"""Also finds what is assigned beyond plane 0, in a tenth of the time: `re` has a table of plane 0
only, and searches ranges beyond it one by one."""


def has_unassigned(text: str) -> bool:
    """Whether `text` has a character that Unicode 14.0 does not assign."""
    return (
        not text.isascii()
        and _SUSPECT.search(text) is not None
        and _UNASSIGNED.search(text) is not None
    )


def in_assigned(function: Callable[[str], str], text: str) -> str:
    """`text` with `function` of each of its parts of assigned characters.

    For functions that see in an unassigned character no more than an end of the text: it is no
    letter, has no other case and no other form, and combines with nothing.
    """
    if not has_unassigned(text):
        return function(text)
    parts = _UNASSIGNED.split(text)
    # The even ones: split() puts what it found between what was around it.
    parts[::2] = map(function, parts[::2])
    return "".join(parts)


def without_unassigned(text: str) -> str:
    """`text` with a space in place of unassigned characters."""
    return _UNASSIGNED.sub(" ", text) if has_unassigned(text) else text
