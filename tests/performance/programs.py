"""How many generated programs the sandbox runs per second.

    python -m tests.performance.programs [--programs 1000]

Programs of HumanEval's size, each right or wrong; the baselines, in the same run and without any
sandbox, are one Python process per program (`python -I -S -c`), and one child per program that is
forked from a prepared interpreter, which is the least that keeps programs apart.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from inference.measuring.sandbox import Sandbox

TEMPLATE = '''
from typing import List


def solve(numbers: List[int], threshold: int) -> List[int]:
    """ Numbers of the list that are above the threshold, sorted, without doubles.
    >>> solve([3, 1, 4, 1, 5], 2)
    [3, 4, 5]
    """
    found = []
    for number in numbers:
        if number > threshold and number not in found:
            found.append(number)
    return sorted(found)


def check(candidate):
    for seed in range(20):
        numbers = [(seed * 7919 + i * 104729) % 97 for i in range(50)]
        expected = sorted({{n for n in numbers if n > {threshold}}})
        assert candidate(numbers, {threshold}) == expected
    assert {threshold} % 5 != 0


check(solve)
'''


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=int, default=1000)
    options = parser.parse_args()
    programs = [TEMPLATE.format(threshold=number) for number in range(options.programs)]
    expected = ["failed" if number % 5 == 0 else "passed" for number in range(len(programs))]
    started = time.perf_counter()
    with Sandbox() as sandbox:
        found = [result.outcome for result in sandbox.run_all(programs)]
    ours = len(programs) / (time.perf_counter() - started)
    assert found == expected
    few = programs[: min(100, len(programs))]
    started = time.perf_counter()
    for program, outcome in zip(few, expected, strict=False):
        result = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program], capture_output=True, check=False
        )
        assert (result.returncode == 0) == (outcome == "passed")
    theirs = len(few) / (time.perf_counter() - started)
    forked = len(few) / _seconds_forked(few, expected)
    print(f"sandbox: {ours:,.0f} programs/s, its start included")
    print(f"a Python process each, one after another, without a sandbox: {theirs:,.0f} programs/s")
    print(f"a forked child each, one after another, without a sandbox: {forked:,.0f} programs/s")
    print(f"ratios: {ours / theirs:,.2f} of processes, {ours / forked:,.2f} of forked children")


def _seconds_forked(programs: list[str], expected: list[str]) -> float:
    # Imported before, as the sandbox's workers have it.
    __import__("typing")
    started = time.perf_counter()
    for program, outcome in zip(programs, expected, strict=False):
        child = os.fork()
        if child == 0:
            try:
                exec(program, {"__name__": "__main__"})
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert (status == 0) == (outcome == "passed")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
