"""Mutants: each is a fault that the sources do not have, and is told from a change that is none."""

from __future__ import annotations

import pytest

from tests.dbt_project import REPOSITORY
from tests.statistics.mutants import MUTANTS, OF_ERRORS, lives


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_sources_are_sound(mutant):
    text = (REPOSITORY / mutant.path).read_text(encoding="utf-8")
    assert mutant.sound in text
    assert mutant.faulty not in text.replace(mutant.sound, "")
    file, _, name = mutant.tests.partition("::")
    assert f"def {name}" in (REPOSITORY / file).read_text(encoding="utf-8")


@pytest.mark.slow(seconds=8)
def test_a_fault_dies_and_a_change_that_is_none_lives():
    fault = next(mutant for mutant in MUTANTS if mutant.tests == OF_ERRORS)
    assert not lives(fault)
    assert lives(fault._replace(faulty=fault.sound))
