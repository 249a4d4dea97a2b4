"""What tests share: one warehouse, built once per session."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from inference.errors import SandboxError
from inference.importing import import_samples, sample_files
from inference.measuring import measure
from tests.dbt_project import REPOSITORY, dbt_environment, run_dbt
from warehouse.loading import load

if TYPE_CHECKING:
    from pathlib import Path


LOGGED_ELSEWHERE = REPOSITORY / "tests" / "inference" / "lm_eval_samples"
"""What lm-evaluation-harness 0.4.13 logged of a made-up model on a few documents of our own."""


@pytest.fixture(scope="session")
def built_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a complete build of this checkout; raw store and dbt's target are beside it."""
    directory = tmp_path_factory.mktemp("built_warehouse")
    environment = dbt_environment(directory)
    store = directory / "generations.duckdb"
    load(REPOSITORY / "warehouse" / "demo", store, keep_files=True)
    for path in sample_files([LOGGED_ELSEWHERE]):
        import_samples(path, directory / "shards")
    load(directory / "shards", store)
    with suppress(SandboxError):
        # Where programs cannot be run, they have no score, and all else is as elsewhere.
        measure(directory / "shards", store, lambda *_: None)
    build = run_dbt("build", env=environment)
    assert build.returncode == 0, build.stdout[-8_000:]
    return directory / "warehouse.duckdb"
