"""One glossary: README, dbt's documentation and the app say the same of a word."""

from __future__ import annotations

import re

import duckdb
import pytest

from app.glossary import glossary, meaning
from tests.dbt_project import REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")

BLOCKS = {
    name: " ".join(text.split())
    for name, text in re.findall(
        r"{% docs (\w+) %}(.*?){% enddocs %}",
        (REPOSITORY / "models" / "columns.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
}
"""Descriptions of columns that stand in several tables."""

COLUMNS = {
    column: word.word
    for word in glossary().values()
    for column in re.findall(r"`(\w+)`", word.columns)
}
"""The word for each column that the glossary names."""


def test_every_row_of_the_file_is_read():
    text = (REPOSITORY / "models" / "glossary.md").read_text(encoding="utf-8")
    # Two rows are the head of the table.
    assert len(glossary()) == sum(line.startswith("|") for line in text.splitlines()) - 2
    assert all(word.meaning.endswith(".") for word in glossary().values())


def test_a_word_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        meaning("no such word")


def test_the_columns_of_the_glossary_exist(built_warehouse):
    with duckdb.connect(built_warehouse, read_only=True) as connection:
        existing = connection.execute("select column_name from duckdb_columns()").fetchall()
    assert COLUMNS.keys() - {name for (name,) in existing} == set()


def test_the_readme_says_what_the_glossary_says():
    words = re.findall(r"^- \*\*(\w+)\*\*: ((?:.|\n  )+)$", README, re.MULTILINE)
    said = {word: " ".join(text.split()) for word, text in words}
    assert {"model", "inference", "sample"} <= said.keys()
    for word in said.keys() & glossary().keys():
        assert meaning(word).startswith(said[word])


@pytest.mark.parametrize("column", [column for column in COLUMNS if column in BLOCKS])
def test_the_description_of_a_column_begins_with_its_word(column):
    word, sign, rest = re.fullmatch(r"([\w -]+)([:,]) (.*)", BLOCKS[column]).groups()
    assert word.lower() == COLUMNS[column]
    if sign == ":":
        first = meaning(word.lower()).partition(". ")[0].rstrip(".")
        assert rest.lower().startswith(f"{first}.".lower())
