"""A small campaign: `make test-faults` is the full one."""

from __future__ import annotations

import pytest

from tests.faults import clocks, damaged_files, disks, kills, together
from tests.faults.campaign import perform
from tests.faults.troubles import table

SEED = 1

SMALL = {
    "kill": (kills, {"run": 1, "load": 2, "import": 1}),
    "disk": (disks, {"load": 3}),
    "damaged file": (damaged_files, {"shard": 1, "odd shards": 1}),
    "two at once": (together, {"load and load": 1}),
    "clock": (clocks, {"load": 1}),
}
"""Kinds, and trials of each by job."""


@pytest.mark.slow(seconds=8)
@pytest.mark.parametrize("kind", SMALL)
def test_nothing_is_lost_doubled_blocked_or_left(injecting_shop, kind):
    module, shares = SMALL[kind]
    planned = list(module.trials(injecting_shop, SEED, shares))
    trials = perform(planned, 2, lambda _: None)
    assert len(trials) == sum(shares.values())
    assert any(trial.was_disturbed for trial in trials)
    found = [str(trial) for trial in trials if trial.troubles]
    assert found == [], table(trials)
