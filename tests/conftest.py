"""What tests share: one warehouse, built once per session; and which worker runs what, and when."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from inference.errors import SandboxError
from inference.exchange.importing import import_samples, sample_files
from inference.measuring.measure import measure
from inference.planning.tokenizers import Tokenizer, read_tokenizer
from tests.dbt_project import BUILT, REPOSITORY, SAID, Parsed, dbt_environment, run_dbt
from tests.shared import made_once, shared_folder
from tests.small_tokenizer import write_tokenizer
from warehouse.loading import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


LOGGED_ELSEWHERE = REPOSITORY / "tests" / "inference" / "exchange" / "lm_eval_samples"
"""What lm-evaluation-harness 0.4.13 logged of a made-up model on a few documents of our own."""


UNMARKED_SECONDS = 2.0
"""What takes longer is to be marked `slow`: such tests go first, and `make test-fast` does without.

A second is meant; machines differ.
"""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what needs a build as slow."""
    if "built_warehouse" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.slow)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first: two workers end together if what is left at the end is small."""
    items.sort(key=lambda item: -seconds(item))


def seconds(item: pytest.Item) -> float:
    """About how long the item and what shares its fixtures take; 0 if it is not slow."""
    return max((mark.kwargs.get("seconds", 1) for mark in item.iter_markers("slow")), default=0)


def unmarked(reports: Iterable[object]) -> list[str]:
    """What took more than `UNMARKED_SECONDS`, with or without its fixtures, and is not marked."""
    took: Counter[str] = Counter()
    for report in reports:
        if isinstance(report, pytest.TestReport) and "slow" not in report.keywords:
            took[report.nodeid] += report.duration
    return [
        f"{seconds:.0f} s, and not marked as slow: {name}"
        for name, seconds in took.most_common()
        if seconds > UNMARKED_SECONDS
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which marks are missing; on a busy machine, more than there are."""
    for line in unmarked(chain.from_iterable(terminalreporter.stats.values())):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def parsed_project(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whichever test runs dbt first has the project parsed, for all of them."""
    Parsed.folder = shared_folder(tmp_path_factory) / "parsed"


def build(directory: Path) -> None:
    """Build this checkout with the demonstration and the logs of another harness."""
    store = directory / "generations.duckdb"
    load(REPOSITORY / "warehouse" / "demo", store, keep_files=True)
    for path in sample_files([LOGGED_ELSEWHERE]):
        import_samples(path, directory / "shards")
    load(directory / "shards", store)
    with suppress(SandboxError):
        # Where programs cannot be run, they have no score, and all else is as elsewhere.
        measure(directory / "shards", store, lambda *_: None)
    said = run_dbt("build", env=dbt_environment(directory))
    assert said.returncode == 0, said.stdout[-8_000:]
    (directory / SAID).write_text(said.stdout, encoding="utf-8")


@pytest.fixture(scope="session")
def built_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a complete build of this checkout; raw store and dbt's target are beside it."""
    built = made_once(shared_folder(tmp_path_factory) / "built", build)
    # A worker's own copy: nobody else has it open.
    own = tmp_path_factory.getbasetemp() / BUILT
    shutil.copytree(built, own, symlinks=True)
    return own / "warehouse.duckdb"


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small tokenizer."""
    folder = tmp_path_factory.mktemp("tokenizers") / "small"
    write_tokenizer(folder)
    return folder


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: Path) -> Tokenizer:
    return read_tokenizer(str(tokenizer_folder))
