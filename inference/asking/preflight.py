"""Preflight: what would stop a run later is found before anything is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.asking.running import benchmark_files
from inference.errors import BenchmarkFileError, RunError
from inference.planning.declarations import check_fields, read_benchmark
from inference.planning.files import demo_files
from inference.planning.items import read_items

if TYPE_CHECKING:
    from inference.asking.sessions import RunConfig
    from inference.planning.declarations import Benchmark


def check_templates(benchmark: Benchmark) -> None:
    """Return if the benchmark's items have what its templates name.

    Demonstration items have the same fields as the others, and are read at once.

    Raises:
        DeclarationError: a template names another field; the message has file and key.
        ItemsError: `items.sql` fails.
    """
    if (benchmark.folder / "demo").is_dir():
        items = read_items(benchmark, demo_files(benchmark))
        check_fields(benchmark, set(items.test[0].fields))


def preflight(config: RunConfig) -> None:
    """Return if every selected benchmark is declared well and has its files.

    Raises:
        DeclarationError: a declaration is not valid, or a template of it names a field that
            the benchmark's items do not have.
        ItemsError: `items.sql` fails.
        RunError: files are missing or not the declared ones; all are named.
    """
    missing = []
    for benchmark_id in config.benchmark_ids:
        benchmark = read_benchmark(benchmark_id, config.protocol)
        check_templates(benchmark)
        try:
            benchmark_files(benchmark, config.item_set, config.cache)
        except BenchmarkFileError as error:
            missing.append(str(error))
    if missing:
        raise RunError("\n".join(missing) + "\nor name the others with --benchmarks")
