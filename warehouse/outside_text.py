r"""Outside text: what models, servers, logs and files say, made safe to show.

A name or a completion may hold characters that a terminal or a browser obeys instead of showing:
escape sequences that move the cursor or rewrite the title, marks that turn the direction of writing
round (https://trojansource.codes), spaces of no width. They are shown as Python spells them, such
as `\x1b` and `\u202e`. Everything that is read is left alone: letters of every script, combining
marks, and the joiners (U+200C, U+200D) that emoji and Indic and Persian text are made of. A
backslash stays one backslash; who needs every character back reads json or Parquet.
"""

from __future__ import annotations

import json
import re

_HIDDEN_BUT_LINES = (
    # Controls, but for those that end lines and columns; the soft hyphen.
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad"
    # Marks of direction; signs without width; separators of lines and paragraphs.
    r"\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    # Halves of characters; interlinear notes; controls of hieroglyphs, shorthand and music; tags.
    r"\ud800-\udfff\ufff9-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
)
"""Unicode's categories Cc, Cf, Cs, Zl and Zp, without the joiners and without the signs of Cf that
are drawn (Prepended_Concatenation_Mark in its PropList.txt)."""

_HIDDEN = re.compile(rf"[\t\n\r{_HIDDEN_BUT_LINES}]")
_HIDDEN_ON_LINES = re.compile(rf"[{_HIDDEN_BUT_LINES}]|\r(?!\n)")


def visible(text: str) -> str:
    """`text` on one line, with every character shown that would otherwise act or be unseen."""
    # Most texts are printable, which Python says without a look at each character by us.
    return text if text.isprintable() else _HIDDEN.sub(_spelt, text)


def visible_lines(text: str) -> str:
    """As `visible`, with line breaks (CR LF too) and tabs left as they are."""
    if text.isprintable():
        return text
    return _HIDDEN_ON_LINES.sub(_spelt, text)


def visible_json(document: str) -> str:
    """A document of JSON on one line, with the same characters as escapes that JSON reads back."""
    if document.isprintable():
        return document
    return _HIDDEN.sub(lambda match: json.dumps(match[0])[1:-1], document)


def _spelt(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
