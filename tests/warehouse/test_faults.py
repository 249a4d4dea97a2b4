"""Every fault in the list is caught, by a test that names the rule, the row and what was found."""

from __future__ import annotations

import shutil
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from tests.warehouse.faults import HERE, SENTENCES, Catch, DamagedWarehouse, Fault, faults

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow(seconds=25)

README = HERE / "README.md"

HEADER = "| what was tried | what caught it before | what catches it now |"


@pytest.fixture(scope="module")
def warehouse(built_warehouse: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("faults")
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(built_warehouse.parent / name, folder)
    opened = DamagedWarehouse(folder, built_warehouse.parent / "target" / "manifest.json")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def known(warehouse: DamagedWarehouse) -> dict[str, str]:
    """Ids of rows that every build has."""
    request, item, run = warehouse.connection.execute(
        "select request_id, item_hash, run_id from marts.fct_item_scores"
        " where benchmark_id = 'gsm8k' and item_set = 'demo' order by all limit 1"
    ).fetchone()
    return {
        "model": "meta-llama/Llama-2-7b-hf",
        "request": request,
        "item": item,
        "run": run,
    }


@pytest.fixture(scope="module")
def catches(warehouse: DamagedWarehouse) -> dict[Fault, Catch | None]:
    return {fault: warehouse.caught(fault) for fault in faults()}


def test_every_fault_of_a_row_is_caught(catches):
    assert [fault for fault, catch in catches.items() if catch is None] == []


def test_no_fault_is_listed_twice():
    listed = [(fault.table, fault.columns, fault.fault) for fault in faults()]
    assert len(set(listed)) == len(listed)


def test_every_rule_has_a_fault_that_breaks_it(warehouse, catches):
    tried = {(fault.table, catch.rule) for fault, catch in catches.items() if catch}
    assert warehouse.rules()
    assert warehouse.rules() - tried == set()


@pytest.mark.parametrize("test_name", SENTENCES)
def test_a_fault_against_a_sentence_is_caught(warehouse, known, test_name):
    _, statement, said = SENTENCES[test_name]
    rows = warehouse.rows_of(test_name, statement.format(**known))
    assert any(said.format(**known) in repr(list(row.values())) for row in rows)


def test_every_sentence_has_a_fault_that_breaks_it(warehouse):
    assert warehouse.sentences() == set(SENTENCES)


def test_the_readme_has_the_table_of_faults(catches, tmp_path):
    text = README.read_text(encoding="utf-8")
    written = tmp_path / "README.md"
    written.write_text(text.partition(HEADER)[0] + table_of_faults(catches), encoding="utf-8")
    assert text == written.read_text(encoding="utf-8"), f"cp {written} {README}"


def table_of_faults(catches: dict[Fault, Catch | None]) -> str:
    lines = [HEADER, "|---|---|---|"]
    lines += [f"| {what} | {name} | {name} |" for name, (what, *_) in SENTENCES.items()]
    of_rule = groupby(
        catches.items(),
        lambda pair: (
            pair[0].table,
            pair[0].columns,
            pair[0].test_before,
            f"{pair[1].test}: {pair[1].rule}" if pair[1] else "nothing",
        ),
    )
    for (table, columns, before, now), pairs in of_rule:
        tried = list(pairs)
        what = " or ".join(fault.fault for fault, _ in tried)
        lines.append(f"| {table}, {columns.replace(' ', ', ')}: {what} | {before} | {now} |")
    return "\n".join(lines) + "\n"
