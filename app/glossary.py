"""Glossary: what words mean, read from the one file that dbt's documentation shows too."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = Path(__file__).resolve().parents[1] / "models" / "glossary.md"

HEAD: Final = "| word | meaning | columns | elsewhere |"


class Word(NamedTuple):
    """A row of the glossary, as Markdown."""

    word: str
    meaning: str
    """Sentences. The first says what the word means, the others what follows from it."""
    columns: str
    """Columns that hold it, each in backticks; empty if there is none."""
    elsewhere: str
    """What others call the same; empty if they use the same word."""


@cache
def glossary() -> dict[str, Word]:
    """The words in the order of the file."""
    table = FILE.read_text(encoding="utf-8").partition(HEAD)[2].splitlines()
    rows = [line.strip("|").split("|") for line in table if line.startswith("| ")]
    return {word.word: word for word in (Word(*map(str.strip, row)) for row in rows)}


def meaning(word: str) -> str:
    """What a word means, in sentences. Raises `KeyError` for a word that is not in the glossary."""
    return glossary()[word].meaning
