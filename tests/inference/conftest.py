"""What tests of inference share: a tokenizer, the benchmarks' files, a configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inference.asking.client import ClientSettings
from inference.asking.sessions import RunConfig
from inference.planning.fetch import fetch
from tests.inference.asking.stub_server import MODEL

if TYPE_CHECKING:
    from pathlib import Path

MIRROR = os.environ.get("EVALWH_BENCHMARK_MIRROR")

needs_mirror = pytest.mark.skipif(
    not MIRROR, reason="EVALWH_BENCHMARK_MIRROR does not name a folder with the benchmarks' files"
)


@pytest.fixture
def config(tmp_path: Path, tokenizer_folder: Path) -> RunConfig:
    """A run of the stub over demonstration items, below a folder of the test's own."""
    return RunConfig(
        model_id=MODEL,
        benchmark_ids=("mmlu", "gsm8k", "hellaswag", "squad2", "xwino_en", "humaneval"),
        endpoints=(),
        tokenizer=str(tokenizer_folder),
        item_set="demo",
        shards=tmp_path / "shards",
        store=tmp_path / "generations.duckdb",
        client=ClientSettings(concurrency=4, batch_size=8, patience_seconds=20),
    )


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The benchmarks' own files, as far as the mirror has them."""
    if not MIRROR:
        pytest.skip("EVALWH_BENCHMARK_MIRROR does not name a folder with the benchmarks' files")
    from inference.planning.declarations import benchmark_ids, read_benchmark

    folder = tmp_path_factory.mktemp("benchmarks")
    for name in benchmark_ids():
        if name != "xlsum_ja":
            list(fetch(read_benchmark(name), folder, MIRROR))
    return folder
