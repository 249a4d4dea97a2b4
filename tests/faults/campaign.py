"""Campaign: all kinds of disturbances, on all jobs, a few at a time; ends with the table.

    python -m tests.faults [--only KIND] [--job JOB] [--count N] [--seed S] [--workers 2]

Exits with 1 if anything was lost, doubled, blocked or left behind, or ended with a traceback.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tests.faults import clocks, damaged_files, disks, kills, small_disks, together
from tests.faults.fake_server import fake_server
from tests.faults.troubles import Trial, table
from tests.faults.worlds import Workshop
from tests.small_tokenizer import write_tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DELAY_SECONDS = 0.01
"""What the fake server takes for a call."""


def scaled(shares: dict[str, int], count: int | None) -> dict[str, int]:
    """The shares, brought to about `count` in all; what is less than one is left out."""
    if count is None:
        return shares
    total = sum(shares.values())
    return {name: share * count // total for name, share in shares.items()}


@contextmanager
def workshop(folder: Path) -> Iterator[Workshop]:
    """A workshop in `folder`, with a tokenizer and a fake server."""
    tokenizer = folder / "tokenizer"
    write_tokenizer(tokenizer)
    with fake_server(tokenizer, DELAY_SECONDS) as server:
        yield Workshop(folder, server, tokenizer)


def perform(
    planned: list[Callable[[], Trial]], workers: int, on_trial: Callable[[Trial], None]
) -> list[Trial]:
    """Do the trials, so many at a time; in their order."""

    def attempt(plan: Callable[[], Trial]) -> Trial:
        try:
            return plan()
        except (AssertionError, OSError, duckdb.Error, subprocess.SubprocessError) as error:
            # One trial that could not be made takes no other with it, and is no success.
            trial = Trial("not made", "", type(error).__name__)
            trial.add("blocked", f"the trial itself failed: {error}"[:4_000])
            return trial

    done = []
    with ThreadPoolExecutor(workers) as pool:
        for trial in pool.map(attempt, planned):
            on_trial(trial)
            done.append(trial)
    return done


KINDS: dict[str, Callable[[Workshop, int, dict[str, int]], Iterator[Callable[[], Trial]]]] = {
    "kill": kills.trials,
    "disk": disks.trials,
    "small disk": small_disks.trials,
    "damaged file": damaged_files.trials,
    "two at once": together.trials,
    "clock": clocks.trials,
}
SHARES = {
    "kill": kills.SHARES,
    "disk": disks.SHARES,
    "small disk": small_disks.SHARES,
    "damaged file": damaged_files.SHARES,
    "two at once": together.SHARES,
    "clock": clocks.SHARES,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--only", action="append", choices=list(KINDS), help="this kind, no other")
    parser.add_argument("--job", action="append", help="disturb this job, no other")
    parser.add_argument("--count", type=int, help="about so many trials of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as name, workshop(Path(name)) as shop:
        planned = []
        for kind in options.only or KINDS:
            shares = SHARES[kind]
            if options.job:
                shares = {job: share for job, share in shares.items() if job in options.job}
            planned += list(KINDS[kind](shop, options.seed, scaled(shares, options.count)))

        numbers = itertools.count(1)

        def say(trial: Trial) -> None:
            passed = time.monotonic() - started
            print(f"{passed:5.0f} s {next(numbers)}/{len(planned)} {trial}", flush=True)

        trials = perform(planned, options.workers, say)
    print(f"\n{table(trials)}")
    if any(trial.troubles for trial in trials):
        sys.exit(1)
