"""Checking: a shard with one broken row is set aside whole, and the message names the row."""

from __future__ import annotations

import math
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from tests.warehouse.run_shapes import NOW
from warehouse.loading import load
from warehouse.raw_store import open_raw_store
from warehouse.records import TABLES
from warehouse.shard_files import SCHEMAS, ShardKind, write_shard

if TYPE_CHECKING:
    from pathlib import Path

MEASURED = {
    "request_id": "r",
    "item_hash": "i",
    "measure_id": "m",
    "measure_version": 1,
    "measured_at": NOW,
}
ANSWER = {"request_id": "r", "session_id": "s", "endpoint": "e", "answered_at": NOW}
VALID: dict[str, tuple[ShardKind, dict[str, Any]]] = {
    "session": (
        "session",
        {
            "run_id": "run",
            "session_id": "s",
            "item_set": "demo",
            "protocol": "reference",
            "model_id": "m",
            "model_revision": "1",
            "tokenizer_id": "t",
            "benchmark_ids": ["gsm8k"],
            "endpoints": [],
            "engine": "sglang",
            "server_arguments": "{}",
            "configuration": "{}",
            "started_at": NOW,
        },
    ),
    "item": (
        "items",
        {
            "item_hash": "i",
            "item_set": "demo",
            "benchmark_id": "gsm8k",
            "item_id": "1",
            "item_index": 0,
            "subset": "",
            "cluster_id": "1",
            "fields": "{}",
            "target": "",
            "golds": ["1"],
            "choices": [],
        },
    ),
    "request": (
        "requests",
        {
            "run_id": "run",
            "benchmark_id": "gsm8k",
            "protocol_version": "1",
            "scorer": "s",
            "item_hash": "i",
            "sample_index": 0,
            "variant_index": 0,
            "purpose": "answer",
            "request_id": "r",
            "model_id": "m",
            "model_revision": "1",
            "tokenizer_id": "t",
            "kind": "log_likelihood",
            "prompt_id": "p",
            "prompt_text": "",
            "continuations": ["a", "b"],
            "decoding": "{}",
            "dropped_token_count": 0,
        },
    ),
    "completion": ("answers", ANSWER | {"completion_text": "", "stop_reason": "stop"}),
    "choice": (
        "answers",
        ANSWER | {"log_likelihoods": [-math.inf, 1e-5], "token_counts": [1, None]},
    ),
    "failure": (
        "failures",
        {
            "request_id": "r",
            "session_id": "s",
            "endpoint": "e",
            "error": "",
            "attempt_count": 1,
            "failed_at": NOW,
        },
    ),
    "translation": (
        "translations",
        MEASURED
        | {"match_counts": [1, 0, 0, 0], "ngram_counts": [1, 0, 0, 0]}
        | {"candidate_length": 1, "reference_length": 1, "sentence_bleu": 1.0000000000000004},
    ),
    "program": (
        "programs",
        MEASURED
        | {"outcome": "passed", "error_head": "", "wall_seconds": 1.0, "is_recorded": False},
    ),
    "logged": (
        "logged_scores",
        {
            "request_id": "r",
            "item_hash": "i",
            "metric": "acc",
            "is_main": True,
            "logged_score": 1.0,
        },
    ),
}

FAULTS: list[tuple[str, str, Any]] = [
    ("choice", "log_likelihoods", []),
    ("choice", "log_likelihoods", [None, -1.0]),
    ("choice", "log_likelihoods", [1.0, -1.0]),
    ("choice", "log_likelihoods", [math.nan, -1.0]),
    ("choice", "log_likelihoods", [math.inf, -1.0]),
    ("choice", "log_likelihoods", None),
    ("choice", "token_counts", [1, 1, 1]),
    ("choice", "token_counts", [0, 1]),
    ("choice", "token_counts", [-1, 1]),
    ("completion", "log_likelihoods", [-1.0]),
    ("completion", "completion_text", None),
    ("completion", "answered_at", None),
    ("completion", "attempt_count", 0),
    ("completion", "input_token_count", -1),
    ("completion", "latency_seconds", -0.5),
    ("completion", "latency_seconds", math.nan),
    ("completion", "stop_reason", "tired"),
    ("session", "run_id", None),
    ("session", "benchmark_ids", None),
    ("session", "benchmark_ids", [None]),
    ("session", "item_set", "other"),
    ("session", "configuration", "{"),
    ("session", "configuration", "[]"),
    ("session", "server_arguments", "no JSON"),
    ("item", "golds", None),
    ("item", "golds", [None]),
    ("item", "fields", "{"),
    ("item", "item_set", "other"),
    ("item", "item_index", -1),
    ("request", "prompt_text", None),
    ("request", "decoding", "{"),
    ("request", "kind", "other"),
    ("request", "kind", "generation"),
    ("request", "continuations", []),
    ("request", "continuations", [None, "b"]),
    ("request", "sample_index", -1),
    ("request", "variant_index", -1),
    ("request", "dropped_token_count", -1),
    ("failure", "attempt_count", 0),
    ("translation", "match_counts", [None, 1, 1, 1]),
    ("translation", "match_counts", [1]),
    ("translation", "match_counts", [2, 0, 0, 0]),
    ("translation", "ngram_counts", [1]),
    ("translation", "candidate_length", -1),
    ("translation", "reference_length", -1),
    ("translation", "sentence_bleu", 1.1),
    ("translation", "sentence_bleu", -0.1),
    ("translation", "sentence_bleu", math.nan),
    ("program", "outcome", "other"),
    ("program", "wall_seconds", math.nan),
    ("logged", "metric", None),
    ("logged", "logged_score", 2.0),
    ("logged", "logged_score", -1.0),
    ("logged", "logged_score", math.nan),
    ("logged", "logged_score", math.inf),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checked") / "generations.duckdb"
    with open_raw_store(path):
        pass
    return path


def row_counts(store: Path) -> dict[str, int]:
    with closing(duckdb.connect(store, read_only=True)) as connection:
        counts = {}
        for name in TABLES:
            found = connection.execute(f"select count(*) from raw.{name}").fetchone()
            assert found is not None
            counts[name] = found[0]
        return counts


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    folder.mkdir(exist_ok=True)
    kind, _ = VALID[name]
    return write_shard(
        folder, "made", 0, kind, pa.Table.from_pylist(rows, schema=SCHEMAS[kind])
    ).name


@pytest.mark.parametrize(("name", "column", "value"), FAULTS)
def test_a_shard_with_one_broken_row_is_set_aside_whole(name, column, value, store, tmp_path):
    _, valid = VALID[name]
    shard = write(tmp_path / "shards", name, [valid, valid | {column: value}])
    before = row_counts(store)
    report = load(tmp_path / "shards", store)
    (message,) = report.damaged
    assert shard in message
    assert "row 2 (" in message
    assert (tmp_path / "shards" / "damaged" / shard).exists()
    assert row_counts(store) == before


@pytest.mark.parametrize("name", sorted(VALID))
def test_the_row_without_the_fault_is_loaded(name, tmp_path):
    write(tmp_path / "shards", name, [VALID[name][1]])
    report = load(tmp_path / "shards", tmp_path / "generations.duckdb")
    assert (report.damaged, report.row_count) == ([], 1)
