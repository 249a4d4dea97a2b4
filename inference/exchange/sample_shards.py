"""Sample shards: logged samples as rows of the raw store, by the kind of shard.

A column that a row here does not have is null: nobody logged it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inference.exchange.logged_samples import NO_FILTER
from inference.planning.requests import prompt_id
from inference.provenance import code_commit, code_version
from warehouse.shard_files import SCHEMAS, SET, write_shard
from warehouse.whole_files import whole_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from inference.exchange.logged_samples import LoggedRequest, LoggedSample
    from inference.exchange.reading import Reading
    from warehouse.shard_files import ShardKind

LINES_PER_SHARD = 10_000

_UNKNOWN_TOKENIZER = "unknown"


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """A file of logged samples as a run: who asked and answered, and how it is understood."""

    run_id: str
    session_id: str
    engine: str
    """The harness that asked."""
    engine_version: str | None
    model_id: str
    model_revision: str
    task: str
    task_version: str
    """Empty where nobody said."""
    invocation: str
    """How the harness was called, an object in JSON."""
    configuration: str
    """How it declares the task, an object in JSON."""
    logged_at: datetime
    digest: str
    """sha256 of the file's bytes, hexadecimal."""
    reading: Reading
    benchmark_ids: dict[str, str]
    """By filter."""


def write_samples(
    run: LoggedRun, samples: Iterable[LoggedSample], folder: Path
) -> dict[str, set[str]]:
    """Write the shards of a run, as one set; the hashes of its items, by benchmark.

    Raises:
        DiskError: they could not all be written, and none was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder / f"{run.session_id}{SET}") as place:
        return _write(run, samples, _Writer(place, run.session_id))


def _write(run: LoggedRun, samples: Iterable[LoggedSample], writer: _Writer) -> dict[str, set[str]]:
    benchmark_ids = list(dict.fromkeys(run.benchmark_ids.values()))
    writer.write("session", [_session(run, benchmark_ids)])
    writer.write("files", [_file(run, benchmark_id) for benchmark_id in benchmark_ids])
    items: dict[str, set[str]] = {benchmark_id: set() for benchmark_id in benchmark_ids}
    answered: set[str] = set()
    lines = iter(samples)
    while chunk := list(islice(lines, LINES_PER_SHARD)):
        rows: defaultdict[ShardKind, list[dict[str, Any]]] = defaultdict(list)
        for sample in chunk:
            benchmark_id = run.benchmark_ids[sample.filter]
            item = _item(run, sample, benchmark_id)
            items[benchmark_id].add(item["item_hash"])
            rows["items"].append(item)
            for request in sample.requests:
                asked = _request(run, sample, request, item)
                request_id = asked["request_id"]
                rows["requests"].append(asked)
                # Several filters look at the same answer.
                if request_id not in answered:
                    answered.add(request_id)
                    kind, row = _outcome(run, request, request_id)
                    rows[kind].append(row)
                if request.purpose == "answer" and request.variant_index == 0:
                    rows["logged_scores"] += _scores(run, sample, item, request_id)
        # Answers last: a build in between finds samples that are not answered yet, and scores
        # them when they are.
        for kind in ("items", "requests", "logged_scores", "failures", "answers"):
            writer.write(kind, rows[kind])
    return items


def hash_of(*parts: str) -> str:
    """32 hexadecimal digits that name `parts`."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:32]


def imported_item_hash(
    harness: str,
    benchmark_id: str,
    doc_id: str,
    doc: str,
    target: str,
    gold_index: int | None,
    choices: Sequence[str],
) -> str:
    """Name of an item that the harness logged, by its content."""
    # With the gold: another log of the task may leave another one to be read out of it.
    return hash_of(harness, benchmark_id, doc_id, doc, target, str(gold_index), *choices)


def imported_request_id(
    harness: str,
    digest: str,
    model_id: str,
    model_revision: str,
    doc_id: str,
    *,
    purpose: str,
    variant_index: int,
    sample_index: int,
    prompt: str,
    continuations: Sequence[str],
    decoding: str,
) -> str:
    """Name of a request that the harness logged in the file with that digest."""
    # With the file: what one engine answered is never taken for what another would.
    return hash_of(
        harness,
        digest,
        model_id,
        model_revision,
        doc_id,
        purpose,
        str(variant_index),
        str(sample_index),
        prompt,
        *continuations,
        decoding,
    )


def _session(run: LoggedRun, benchmark_ids: list[str]) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "session_id": run.session_id,
        "item_set": "imported",
        "protocol": run.engine,
        "model_id": run.model_id,
        "model_revision": run.model_revision,
        "tokenizer_id": _UNKNOWN_TOKENIZER,
        "benchmark_ids": benchmark_ids,
        "endpoints": [],
        "engine": run.engine,
        "engine_version": run.engine_version,
        "server_arguments": run.invocation,
        "configuration": run.configuration,
        "code_commit": code_commit(),
        "code_version": code_version(),
        "started_at": run.logged_at,
    }


def _file(run: LoggedRun, benchmark_id: str) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "benchmark_id": benchmark_id,
        "role": "samples",
        # Without its time: a copy under another name is the same file.
        "file_name": f"samples_{run.task}.jsonl",
        "sha256": run.digest,
        "departure": "",
        "protocol_version": run.task_version,
    }


def _item(run: LoggedRun, sample: LoggedSample, benchmark_id: str) -> dict[str, Any]:
    gold_index = sample.gold_index(run.reading.gold) if run.reading.gold else None
    place = sample.doc_id
    return {
        "item_hash": imported_item_hash(
            run.engine,
            benchmark_id,
            sample.doc_id,
            sample.doc,
            sample.target,
            gold_index,
            sample.choices,
        ),
        "item_set": "imported",
        "benchmark_id": benchmark_id,
        "item_id": sample.doc_id,
        # As long as it fits.
        "item_index": int(place) if place.isdecimal() and len(place) < 19 else 0,
        "subset": "",
        "cluster_id": sample.doc_id,
        "fields": sample.doc,
        "target": sample.target,
        "golds": sample.golds,
        "choices": sample.choices,
        "gold_index": gold_index,
    }


def _request(
    run: LoggedRun, sample: LoggedSample, request: LoggedRequest, item: dict[str, Any]
) -> dict[str, Any]:
    request_id = imported_request_id(
        run.engine,
        run.digest,
        run.model_id,
        run.model_revision,
        sample.doc_id,
        purpose=request.purpose,
        variant_index=request.variant_index,
        sample_index=request.sample_index,
        prompt=request.prompt,
        continuations=request.continuations,
        decoding=request.decoding,
    )
    return {
        "run_id": run.run_id,
        "benchmark_id": item["benchmark_id"],
        "protocol_version": run.task_version,
        "scorer": run.reading.scorer,
        "item_hash": item["item_hash"],
        "sample_index": request.sample_index,
        "variant_index": request.variant_index,
        "purpose": request.purpose,
        "request_id": request_id,
        "model_id": run.model_id,
        "model_revision": run.model_revision,
        "tokenizer_id": _UNKNOWN_TOKENIZER,
        "kind": "log_likelihood" if request.continuations else "generation",
        "prompt_id": prompt_id(request.prompt),
        "prompt_text": request.prompt,
        "continuations": request.continuations,
        "decoding": request.decoding,
        "dropped_token_count": 0,
    }


def _outcome(
    run: LoggedRun, request: LoggedRequest, request_id: str
) -> tuple[ShardKind, dict[str, Any]]:
    """The answer, or why there is none."""
    told = {"request_id": request_id, "session_id": run.session_id, "endpoint": run.engine}
    if request.failure is not None:
        return "failures", {
            **told,
            "error": request.failure,
            "attempt_count": 1,
            "failed_at": run.logged_at,
        }
    values = request.log_likelihoods
    return "answers", {
        **told,
        "answered_at": run.logged_at,
        "completion_text": request.completion,
        "log_likelihoods": values or None,
        "token_counts": [None] * len(values) if values else None,
    }


def _scores(
    run: LoggedRun, sample: LoggedSample, item: dict[str, Any], request_id: str
) -> list[dict[str, Any]]:
    return [
        {
            "request_id": request_id,
            "item_hash": item["item_hash"],
            # As in the harness's own tables of results.
            "metric": metric if sample.filter == NO_FILTER else f"{metric},{sample.filter}",
            "is_main": metric == run.reading.main_metrics[sample.filter],
            "logged_score": score,
            "answer_text": sample.answer,
        }
        for metric, score in sample.scores.items()
    ]


class _Writer:
    """Writes the shards of one session, numbered."""

    def __init__(self, folder: Path, session_id: str) -> None:
        self._folder = folder
        self._session_id = session_id
        self._number = 0

    def write(self, kind: ShardKind, rows: list[dict[str, Any]]) -> None:
        if rows:
            table = pa.Table.from_pylist(rows, schema=SCHEMAS[kind])
            write_shard(self._folder, self._session_id, self._number, kind, table)
            self._number += 1
