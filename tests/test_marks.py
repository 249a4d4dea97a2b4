"""A slow test that is not marked as slow is told at the end of the tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import UNMARKED_SECONDS, unmarked


def report(name: str, when: Any, share: float, *marks: str) -> pytest.TestReport:
    """Of a part of a test that took that share of what may be unmarked."""
    return pytest.TestReport(
        name,
        ("file.py", 1, name),
        dict.fromkeys([name, *marks], 1),
        "passed",
        None,
        when,
        duration=share * UNMARKED_SECONDS,
    )


def test_what_is_slow_and_not_marked_is_named_and_the_slowest_first():
    reports = [
        report("a quick one", "call", 0.9),
        report("one with fixtures", "setup", 0.6),
        report("one with fixtures", "call", 0.6),
        report("a marked one", "call", 9, "slow"),
        report("a long one", "call", 2),
    ]
    assert unmarked([*reports, "what is no report of a test"]) == [
        f"{2 * UNMARKED_SECONDS:.0f} s, and not marked as slow: a long one",
        f"{1.2 * UNMARKED_SECONDS:.0f} s, and not marked as slow: one with fixtures",
    ]
