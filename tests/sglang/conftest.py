"""A real SGLang server without a GPU, with a real small model, for the tests of this folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference.asking.serving import ServeConfig, serving
from tests.sglang.servers import MODEL_ID, converted_model, cpu_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = os.environ.get("EVALWH_SGLANG_PYTHON")


@pytest.fixture(scope="session")
def sglang_python() -> str:
    if not PYTHON:
        pytest.skip("EVALWH_SGLANG_PYTHON names no Python with sglang; `make test-sglang` does")
    return str(Path(PYTHON).absolute())


@pytest.fixture(scope="session")
def in_cpu_environment() -> Iterator[None]:
    with cpu_environment():
        yield


@pytest.fixture(scope="session")
def model_folder(sglang_python: str, in_cpu_environment: None) -> Path:
    return converted_model(sglang_python)


@pytest.fixture(scope="session")
def serve_config(
    sglang_python: str,
    model_folder: Path,
    in_cpu_environment: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> ServeConfig:
    return ServeConfig(
        str(model_folder),
        MODEL_ID,
        port=0,
        is_cpu=True,
        log=tmp_path_factory.mktemp("sglang") / "server.log",
        start_seconds=300,
        python=sglang_python,
    )


@pytest.fixture(scope="session")
def server(serve_config: ServeConfig) -> Iterator[str]:
    """Address of a healthy server."""
    with serving(serve_config) as url:
        yield url
