"""Reader: a process that opens the published warehouse again and again, while it is written.

    python -m tests.faults.reader WAREHOUSE

Ends when its standard input does, and then prints what it met as JSON.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERY = "select count(*) from marts.fct_item_scores"


@dataclass(slots=True)
class Reports:
    """What a reader met; complete when it has been stopped."""

    count: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def reading(warehouse: Path) -> Iterator[Reports]:
    """A reader of the warehouse in another process, for as long as the context lasts.

    It reads only if there is a warehouse now: what was never published cannot be read.
    """
    reports = Reports()
    if not warehouse.exists():
        yield reports
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.reader", str(warehouse)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield reports
    finally:
        said, _ = process.communicate(timeout=60)
        found = json.loads(said)
        reports.count, reports.failures = found["count"], found["failures"]


def main() -> None:
    path = Path(sys.argv[1])
    count, failures = 0, []
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        count += 1
        try:
            with closing(duckdb.connect(path, read_only=True)) as connection:
                connection.execute(QUERY).fetchall()
        except duckdb.Error as error:
            failures.append(str(error)[:200])
    print(json.dumps({"count": count, "failures": failures}))


if __name__ == "__main__":
    main()
