"""Checking: a shard with one broken row is set aside whole, and the message names the row."""

from __future__ import annotations

import math
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest

from tests.warehouse.run_shapes import NOW
from warehouse.loading import load
from warehouse.records import REFERENCES, TABLES
from warehouse.shard_files import SCHEMAS, SHARDS, ShardKind, shard_files, write_shard

if TYPE_CHECKING:
    from pathlib import Path

MEASURED = {
    "request_id": "g",
    "item_hash": "i",
    "measure_id": "m",
    "measure_version": 1,
    "measured_at": NOW,
}
ANSWER = {"request_id": "r", "session_id": "s", "endpoint": "e", "answered_at": NOW}
COMPLETION = {"completion_text": "", "stop_reason": "stop"}
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
    "session_end": (
        "session_end",
        {
            "session_id": "s",
            "request_count": 2,
            "answered_count": 2,
            "failed_count": 0,
            "finished_at": NOW,
        },
    ),
    "file": (
        "files",
        {
            "run_id": "run",
            "benchmark_id": "gsm8k",
            "role": "test",
            "file_name": "test.jsonl",
            "sha256": "0",
            "departure": "",
            "protocol_version": "1",
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
            "choices": ["a", "b"],
            "gold_index": 1,
        },
    ),
    "request": (
        "requests",
        {
            "run_id": "run",
            "benchmark_id": "gsm8k",
            "protocol_version": "1",
            "scorer": "most_likely_choice",
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
    "completion": ("answers", ANSWER | COMPLETION | {"request_id": "g"}),
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
    ("session_end", "request_count", 1),
    ("choice", "log_likelihoods", [-1e10, -1.0]),
    ("request", "purpose", "made up"),
    ("translation", "ngram_counts", [2, 0, 0, 0]),
    ("translation", "ngram_counts", [1, 1, 0, 0]),
    ("translation", "candidate_length", 2),
    ("translation", "reference_length", 20_000_000),
    # Rules across tables: what the row names is there, and is not like that.
    ("item", "gold_index", 2),
    ("item", "gold_index", -1),
    ("item", "choices", ["a"]),
    ("item", "target", "another"),
    ("item", "fields", '{"question": "another"}'),
    ("item", "golds", ["2"]),
    ("request", "continuations", ["a", "b", "c"]),
    ("request", "continuations", ["a", "c"]),
    ("request", "model_id", "another"),
    ("request", "model_revision", "2"),
    ("request", "tokenizer_id", "another"),
    ("request", "decoding", '{"temperature": 1.0}'),
    ("request", "prompt_id", "another"),
    ("request", "prompt_text", "another"),
    ("request", "scorer", "as_logged"),
    ("request", "benchmark_id", "xwino_en"),
    ("session", "run_id", "another"),
    ("session", "protocol", "another"),
    ("session", "model_id", "another"),
    ("session", "model_revision", "2"),
    ("session", "item_set", "real"),
    ("session", "started_at", datetime(1969, 12, 31, tzinfo=UTC)),
    ("completion", "answered_at", datetime(2100, 1, 2, tzinfo=UTC)),
    ("failure", "failed_at", datetime(9999, 1, 1, tzinfo=UTC)),
    ("program", "measured_at", datetime(1, 1, 1, tzinfo=UTC)),
    ("request", "item_hash", "real"),
    ("choice", "session_id", "of another model"),
    ("choice", "log_likelihoods", [-1.0]),
    ("choice", "log_likelihoods", [-1.0, -1.0, -1.0]),
    ("choice", "request_id", "g"),
    ("completion", "request_id", "r"),
    ("logged", "logged_score", 0.5),
]

MISSING: list[tuple[str, str, Any]] = [
    ("request", "item_hash", "nowhere"),
    ("request", "run_id", "nowhere"),
    ("request", "scorer", "nowhere"),
    ("choice", "request_id", "nowhere"),
    ("choice", "session_id", "nowhere"),
    ("completion", "request_id", "nowhere"),
    ("completion", "session_id", "nowhere"),
    ("failure", "request_id", "nowhere"),
    ("failure", "session_id", "nowhere"),
    ("translation", "request_id", "nowhere"),
    ("translation", "request_id", "r"),
    ("translation", "item_hash", "nowhere"),
    ("program", "request_id", "nowhere"),
    ("program", "request_id", "r"),
    ("program", "item_hash", "nowhere"),
    ("logged", "request_id", "nowhere"),
    ("logged", "item_hash", "nowhere"),
    ("session_end", "session_id", "nowhere"),
    ("file", "run_id", "nowhere"),
]
"""What a row may name before it is there: its shard waits."""


GENERATION = {"request_id": "g", "kind": "generation", "continuations": []}
KNOWN = (
    ("session", {}),
    ("session", {"run_id": "of another", "session_id": "of another model", "model_id": "another"}),
    ("item", {}),
    ("item", {"item_hash": "real", "item_set": "real"}),
    ("request", {}),
    ("request", GENERATION),
    ("completion", {}),
    ("logged", {}),
)
"""Rows that the raw store has before a shard comes."""


def stored_world(folder: Path) -> Path:
    path = folder / "generations.duckdb"
    for number, (name, changes) in enumerate(KNOWN):
        write(folder / "known", name, [VALID[name][1] | changes], number)
    assert load(folder / "known", path).refused == []
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored_world(tmp_path_factory.mktemp("checked"))


def row_counts(store: Path) -> dict[str, int]:
    with closing(duckdb.connect(store, read_only=True)) as connection:
        counts = {}
        for name in TABLES:
            found = connection.execute(f"select count(*) from raw.{name}").fetchone()
            assert found is not None
            counts[name] = found[0]
        return counts


def write(folder: Path, name: str, rows: list[dict[str, Any]], number: int = 0) -> str:
    folder.mkdir(exist_ok=True)
    kind, _ = VALID[name]
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[kind])
    return write_shard(folder, "made", number, kind, table).name


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


@pytest.mark.parametrize(("name", "column", "value"), MISSING)
def test_a_shard_that_names_what_is_nowhere_waits(name, column, value, store, tmp_path):
    _, valid = VALID[name]
    shard = write(tmp_path / "shards", name, [valid, valid | {column: value}])
    before = row_counts(store)
    report = load(tmp_path / "shards", store)
    (message,) = report.waiting
    assert report.damaged == []
    assert shard in message
    assert f"has {column} {value}, which is not in" in message
    assert (tmp_path / "shards" / shard).exists()
    assert row_counts(store) == before


def test_every_reference_is_tried():
    tried = {(SHARDS[VALID[name][0]], column) for name, column, _ in MISSING}
    assert tried >= {(row, one.column) for row, some in REFERENCES.items() for one in some}


@pytest.mark.parametrize("column", ["model_id", "model_revision", "tokenizer_id"])
def test_a_request_of_another_model_than_its_run_is_refused(column, store, tmp_path):
    asked = VALID["request"][1] | {"request_id": "of another", column: "another"}
    write(tmp_path / "shards", "request", [asked])
    (message,) = load(tmp_path / "shards", store).damaged
    assert f"has {column} another, but it is that of the run" in message


def test_a_value_adds_no_line_to_a_message(store, tmp_path):
    asked = VALID["request"][1] | {"request_id": "r\r\nError: fake", "model_id": "m\nError: fake"}
    write(tmp_path / "shards", "request", [asked])
    (message,) = load(tmp_path / "shards", store).damaged
    assert len(message.splitlines()) == 1
    assert "m\\nError: fake" in message


@pytest.mark.parametrize("name", sorted(VALID))
def test_the_row_without_the_fault_is_loaded(name, tmp_path):
    store = stored_world(tmp_path)
    write(tmp_path / "shards", name, [VALID[name][1]], 9)
    report = load(tmp_path / "shards", store)
    assert (report.refused, report.row_count) == ([], 1)


def test_what_a_shard_waits_for_brings_it_in(store, tmp_path):
    asked = VALID["request"][1] | {"request_id": "later"}
    answer = VALID["choice"][1] | {"request_id": "later"}
    # By name the answer comes first.
    write(tmp_path / "shards", "choice", [answer], 1)
    assert len(load(tmp_path / "shards", store).waiting) == 1
    write(tmp_path / "shards", "request", [asked], 2)
    report = load(tmp_path / "shards", store)
    assert (report.refused, report.shard_count) == ([], 2)


def test_the_same_content_under_the_same_key_is_skipped(store, tmp_path):
    before = row_counts(store)
    for number, (name, changes) in enumerate(KNOWN, 10):
        write(tmp_path / "shards", name, [VALID[name][1] | changes] * 2, number)
    assert load(tmp_path / "shards", store).refused == []
    assert row_counts(store) | {"loaded_shards": 0} == before | {"loaded_shards": 0}


def test_fields_in_another_order_are_the_same_content(tmp_path):
    store = tmp_path / "generations.duckdb"
    item = VALID["item"][1]
    write(tmp_path / "shards", "item", [item | {"fields": '{"a": "1", "b": "2"}'}])
    write(tmp_path / "shards", "item", [item | {"fields": '{"b": "2", "a": "1"}'}], 1)
    assert load(tmp_path / "shards", store).refused == []


def test_a_second_end_of_a_session_changes_nothing(store, tmp_path):
    _, end = VALID["session_end"]
    write(tmp_path / "shards", "session_end", [end])
    write(tmp_path / "shards", "session_end", [end | {"request_count": 9, "failed_count": 7}], 1)
    assert load(tmp_path / "shards", store).refused == []
    with closing(duckdb.connect(store, read_only=True)) as connection:
        assert connection.execute("select failed_count from raw.run_session_ends").fetchall() == [
            (0,)
        ]


def test_what_is_written_while_the_folder_is_listed_is_waited_for(store, tmp_path, monkeypatch):
    asked = VALID["request"][1] | {"request_id": "listed"}
    answer = VALID["choice"][1] | {"request_id": "listed"}
    shard = write(tmp_path / "shards", "request", [asked], 1)
    write(tmp_path / "shards", "choice", [answer], 2)
    calls = []

    def listed(folder: Path):
        calls.append(folder)
        # The first listing of what is to be loaded has missed it.
        is_first = len([one for one in calls if one == tmp_path / "shards"]) <= 2
        return iter([file for file in shard_files(folder) if not (is_first and file.name == shard)])

    monkeypatch.setattr("warehouse.loading.shard_files", listed)
    report = load(tmp_path / "shards", store)
    assert (report.refused, report.shard_count) == ([], 2)
