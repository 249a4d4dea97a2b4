"""Speed of the door: a large answer as csv, and a small one, against DuckDB in the same process.

Prints seconds and ratios, of the elapsed time of the fastest of several. Not a test. Run it from
the root, with a warehouse:

    python -m tests.performance.door --rows 1000000
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

EVALWH = Path(sys.executable).parent / "evalwh"

IN_PROCESS = """
import sys
from warehouse.connection import connect_read_only, warehouse_path
from warehouse.query import write_answer
with connect_read_only(warehouse_path()) as connection:
    write_answer(connection, sys.argv[1], "csv", None, sys.stdout.buffer)
"""


def seconds(command: list[str | Path], times: int) -> float:
    """Of the fastest of several runs."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        taken.append(time.perf_counter() - began)
    return min(taken)


def main() -> None:
    """Print the seconds of both ways, in turn, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    large = (
        "select range as i, range * 0.37 as x, 'item ' || range as name, range % 7 = 0 as flag"
        f" from range({arguments.rows})"
    )
    for what, statement, times in (
        ("one row", "select 1", 5 * arguments.times),
        (f"{arguments.rows:,} rows", large, arguments.times),
    ):
        door = seconds([EVALWH, "sql", statement, "--format", "csv"], times)
        inside = seconds([sys.executable, "-c", IN_PROCESS, statement], times)
        print(f"{what}: door {door:.2f} s, in process {inside:.2f} s, ratio {door / inside:.2f}")


if __name__ == "__main__":
    main()
