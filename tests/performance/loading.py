"""What the rules across tables cost when shards are loaded.

    python -m tests.performance.loading [--requests 200000] [--repeats 3]

The same shards are loaded with all rules and as they were loaded before there were any across
tables, in turn, each into a raw store of its own: rules of single rows alone, each looked for with
its row's number at once. The best of each is compared, in seconds of the processor, which other
processes of the machine do not change much.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pyarrow as pa

from inference.planning.requests import prompt_id
from tests.warehouse.test_checking import VALID
from warehouse.checking import Breach, Query
from warehouse.loading import load
from warehouse.shard_files import SCHEMAS, ShardKind, write_shard

if TYPE_CHECKING:
    import duckdb

REQUESTS_PER_SHARD = 20_000
ANSWERS_PER_SHARD = 8192
SHOTS = "Question: how many apples are in five bags of seven?\nAnswer: 35\n\n" * 30


def write(folder: Path, count: int) -> None:
    """A run of `count` requests, half of them weighed, with their answers."""
    numbers = range(count)
    number = 0

    def shards(kind: ShardKind, rows: list[dict[str, object]], size: int) -> None:
        nonlocal number
        for start in range(0, len(rows), size):
            table = pa.Table.from_pylist(rows[start : start + size], schema=SCHEMAS[kind])
            write_shard(folder, "made", number, kind, table)
            number += 1

    shards("session", [VALID["session"][1]], 1)
    items = [VALID["item"][1] | {"item_hash": f"{n:032x}", "item_id": str(n)} for n in numbers]
    shards("items", items, count)
    kinds = [{"kind": "generation", "continuations": []}, {}]
    shards(
        "requests",
        [
            VALID["request"][1]
            | kinds[n % 2]
            | {"item_hash": f"{n:032x}", "request_id": f"{n * 7919:032x}"}
            | {"prompt_text": (text := f"{SHOTS}{n}"), "prompt_id": prompt_id(text)}
            for n in numbers
        ],
        REQUESTS_PER_SHARD,
    )
    answers = [VALID["completion"][1] | {"completion_text": "35\n\n" * 20}, VALID["choice"][1]]
    shards(
        "answers",
        [answers[n % 2] | {"request_id": f"{n * 7919:032x}"} for n in numbers],
        ANSWERS_PER_SHARD,
    )


def found_at_once(connection: duckdb.DuckDBPyConnection, query: Query) -> list[Breach]:
    found = connection.execute(f"{query.all} order by number limit 1").fetchall()
    return [Breach(*row) for row in found]


def seconds(shards: Path, *, has_all_rules: bool) -> float:
    """Seconds of the processor that loading takes."""
    with tempfile.TemporaryDirectory(dir=shards.parent) as name:
        folder = Path(name)
        shutil.copytree(shards, folder / "shards")
        with ExitStack() as patched:
            if not has_all_rules:
                patched.enter_context(mock.patch("warehouse.loading.check_references"))
                patched.enter_context(mock.patch("warehouse.loading.check_determined"))
                patched.enter_context(mock.patch("warehouse.checking._found", found_at_once))
            started = time.process_time()
            report = load(folder / "shards", folder / "generations.duckdb")
            taken = time.process_time() - started
        assert report.refused == []
        return taken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        shards = Path(name) / "shards"
        shards.mkdir()
        write(shards, options.requests)
        without, with_all = [], []
        for _ in range(options.repeats):
            without.append(seconds(shards, has_all_rules=False))
            with_all.append(seconds(shards, has_all_rules=True))
    print(f"{options.requests:,} requests and their answers, best of {options.repeats}")
    print(f"rules of single rows: {min(without):.2f} s")
    print(f"rules across tables, too: {min(with_all):.2f} s")
    print(f"ratio: {min(with_all) / min(without):.3f}")


if __name__ == "__main__":
    main()
