"""What tests share: one warehouse, built once per session."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from inference.errors import SandboxError
from inference.measuring import measure
from tests.dbt_project import REPOSITORY, dbt_environment, run_dbt
from warehouse.loading import load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def built_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a complete build of this checkout; raw store and dbt's target are beside it."""
    directory = tmp_path_factory.mktemp("built_warehouse")
    environment = dbt_environment(directory)
    store = directory / "generations.duckdb"
    load(REPOSITORY / "warehouse" / "demo", store, keep_files=True)
    with suppress(SandboxError):
        # Where programs cannot be run, they have no score, and all else is as elsewhere.
        measure(directory / "shards", store, lambda *_: None)
    build = run_dbt("build", env=environment)
    assert build.returncode == 0, build.stdout[-8_000:]
    return directory / "warehouse.duckdb"
