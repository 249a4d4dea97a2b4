"""A small form of the statistics' own test: `make test-statistics` is the full one."""

from __future__ import annotations

import pytest

from tests.statistics import correlations
from tests.statistics.campaign import perform, planned
from tests.statistics.checking import table

REPETITIONS = {"slopes": 400, "correlations": 200, "components": 24, "abilities": 24}
"""Of every design and process of the part."""

SEED = 1


@pytest.fixture(scope="module")
def sql(built_warehouse):
    target = built_warehouse.parent / "target"
    return correlations.statements(target / "compiled" / "evalwh" / "models")


@pytest.mark.slow(seconds=8)
@pytest.mark.parametrize("part", REPETITIONS)
def test_no_promise_is_broken(built_warehouse, sql, part):
    tasks = planned(built_warehouse, sql, [part], REPETITIONS[part], SEED)
    rows = [row for task in tasks if is_quick(task) for row in perform(task)]
    assert [row for row in rows if row.is_broken] == [], table(rows)
    held = [row for row in rows if row.verdict == "holds"]
    assert {row.process for row in held} >= {"0", ".5", ".8"}


def is_quick(task) -> bool:
    """Whether no cell is missing and the lineages are a panel's; EM and many lineages take long."""
    if task.part == "components":
        return task.design.observed.all() and task.design.name != "many lineages"
    return True
