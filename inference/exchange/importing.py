"""Importing: samples that lm-evaluation-harness logged, into the raw store as runs of their own.

They are marked `item_set = 'imported'` and enter no benchmark score. Choices are scored here from
their log-likelihoods. A completion keeps the score that was logged, or is scored by a scorer of
this project that the caller names; what was logged stays beside it, for comparison.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from inference.errors import SamplesFileError
from inference.exchange.lm_eval_samples import FILE_NAME, open_samples, read_samples
from inference.planning.requests import prompt_id
from inference.provenance import code_commit, code_version
from warehouse.shard_files import SCHEMAS, write_shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from inference.exchange.lm_eval_samples import Form, LoggedSample, SamplesFile
    from warehouse.shard_files import ShardKind

ENGINE = "lm-evaluation-harness"

AS_LOGGED = "as_logged"
"""The scorer that takes the score that was logged."""

LINES_PER_SHARD = 10_000

_SCORERS = Path(__file__).parents[2] / "warehouse" / "seeds" / "scorers.csv"


@dataclass(frozen=True, slots=True)
class Imported:
    """What one file gave."""

    run_id: str
    scorer: str
    item_counts: dict[str, int]
    """By benchmark: the task; and its filter, where the scores of several were taken as logged."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a file is to be read: known only when all of it has been seen."""

    form: Form
    scorer: str
    main_metrics: dict[str, str | None]
    """By filter, the first metric that is a number from 0 to 1 in every line."""
    gold: Literal["index", "text"] | None


def sample_files(paths: Iterable[Path]) -> list[Path]:
    """The files that are named, and those in folders that are named, however deep.

    Raises:
        SamplesFileError: there is no such file, or nothing to import in a folder.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file for file in path.rglob("samples_*.jsonl") if FILE_NAME.fullmatch(file.name)
            )
            if not inside:
                raise SamplesFileError(f"{path} has no files named samples_<task>_<time>.jsonl")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise SamplesFileError(f"there is no {path}")
    return list(dict.fromkeys(found))


def import_samples(
    path: Path,
    shards: Path,
    *,
    model_id: str | None = None,
    revision: str | None = None,
    scorers: Mapping[str, str] | None = None,
) -> Imported:
    """Write the shards of one file of logged samples; `load` brings them into the raw store.

    Shards are named by the file's content, so that importing it again adds nothing. `scorers` are
    by task, for completions only. Null `model_id` and `revision` are what the results beside the
    file say.

    Raises:
        SamplesFileError: the file cannot be read, nobody says which model answered, or the scorer
            is not one for completions.
    """
    file = open_samples(path)
    model = model_id or file.model_name
    if model is None:
        raise SamplesFileError(
            f"{path} does not say which model answered, and no results_<time>.json beside it does;"
            " name the model with --model"
        )
    wanted = (scorers or {}).get(file.task, "")
    reading = _read_through(file, wanted)
    known_revision = revision or file.model_revision or "unknown"
    # The tasks of one invocation are one run; with another scorer, a task is in a run of its own.
    run_hash = _hash(model, known_revision, file.logged_at.isoformat(), wanted)[:8]
    run_id = f"{re.sub(r'[^A-Za-z0-9_-]+', '_', model)}-lm-eval-{run_hash}"
    session_id = f"lm-eval-{_hash(file.digest, model, known_revision, wanted)[:16]}"
    has_scores_by_filter = reading.scorer == AS_LOGGED and len(reading.main_metrics) > 1
    names = {
        name: f"{file.task}/{name}" if has_scores_by_filter else file.task
        for name in reading.main_metrics
    }
    writer = _Writer(shards, session_id)
    writer.write("session", [_session(file, model, known_revision, run_id, session_id, names)])
    writer.write(
        "files",
        [
            {
                "run_id": run_id,
                "benchmark_id": name,
                "role": "samples",
                "file_name": path.name,
                "sha256": file.digest,
                "departure": "",
            }
            for name in dict.fromkeys(names.values())
        ],
    )
    hashes: dict[str, set[str]] = {name: set() for name in names.values()}
    lines = read_samples(file)
    while samples := list(islice(lines, LINES_PER_SHARD)):
        rows = _Rows(file, reading, model, known_revision, run_id, session_id)
        for sample in samples:
            name = names[sample.filter]
            hashes[name].add(rows.add(sample, name))
        # Answers last: a build in between finds samples that are not answered yet, and scores
        # them when they are.
        for kind in ("items", "requests", "logged_scores", "failures", "answers"):
            writer.write(kind, rows.rows[kind])
    counts = {name: len(items) for name, items in hashes.items()}
    return Imported(run_id, reading.scorer, counts)


def _read_through(file: SamplesFile, wanted: str) -> _Reading:
    """How the file is to be read, after a look at every line of it."""
    forms: dict[Form, None] = {}
    usable: dict[str, dict[str, bool]] = {}
    agreeing: dict[Literal["index", "text"], bool] = {"index": True, "text": True}
    for sample in read_samples(file):
        forms[sample.form] = None
        metrics = usable.setdefault(sample.filter, {})
        for name, score in sample.scores.items():
            is_proportion = score is not None and 0 <= score <= 1
            metrics[name] = metrics.get(name, True) and is_proportion
        for reading in agreeing:
            agreeing[reading] = agreeing[reading] and _agrees(sample, reading)
    if not forms:
        raise SamplesFileError(f"{file.path} is empty")
    if len(forms) > 1:
        raise SamplesFileError(f"{file.path} has samples of several forms: {', '.join(forms)}")
    (form,) = forms
    gold = next((reading for reading, agrees in agreeing.items() if agrees), None)
    main_metrics = {
        name: next((metric for metric, is_usable in metrics.items() if is_usable), None)
        for name, metrics in usable.items()
    }
    scorer = "most_likely_choice" if form == "choices" and gold else AS_LOGGED
    if wanted not in ("", AS_LOGGED):
        known = _completion_scorers()
        if form != "generation" or wanted not in known:
            raise SamplesFileError(
                f"{file.path}: {wanted!r} cannot score samples of the form {form};"
                f" completions can be scored by {', '.join(known)}, and anything {AS_LOGGED}"
            )
    return _Reading(form, wanted or scorer, main_metrics, gold)


def _agrees(sample: LoggedSample, reading: Literal["index", "text"]) -> bool:
    """Whether the target, so read, gives the accuracy that was logged.

    The harness writes an index and a text alike, so only this tells them apart.
    """
    gold = sample.gold_index(reading)
    if gold is None:
        return False
    if any(math.isnan(value) for value in sample.log_likelihoods):
        # Such a sample is not scored.
        return True
    logged = sample.scores.get("acc")
    return logged is None or logged == float(sample.most_likely == gold)


def _completion_scorers() -> list[str]:
    with _SCORERS.open(encoding="utf-8", newline="") as rows:
        return [
            row["scorer_id"]
            for row in csv.DictReader(rows)
            if row["scorer_kind"] in ("answer", "translation")
        ]


def _session(
    file: SamplesFile,
    model: str,
    revision: str,
    run_id: str,
    session_id: str,
    names: Mapping[str, str],
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "session_id": session_id,
        "item_set": "imported",
        "protocol": ENGINE,
        "model_id": model,
        "model_revision": revision,
        "tokenizer_id": "unknown",
        "context_length": None,
        "benchmark_ids": list(names.values()),
        "endpoints": [],
        "engine": ENGINE,
        "engine_version": file.harness_version,
        "server_arguments": json.dumps(file.results.get("config", {}), ensure_ascii=False),
        "gpu_names": None,
        "concurrency": None,
        "batch_size": None,
        "configuration": json.dumps(
            file.results.get("configs", {}).get(file.task, {}), ensure_ascii=False
        ),
        "code_commit": code_commit(),
        "code_version": code_version(),
        "python_version": None,
        "started_at": file.logged_at,
    }


class _Rows:
    """Rows of shards, by their kind."""

    def __init__(
        self,
        file: SamplesFile,
        reading: _Reading,
        model: str,
        revision: str,
        run_id: str,
        session_id: str,
    ) -> None:
        self._file = file
        self._reading = reading
        self._model = model
        self._revision = revision
        self._run_id = run_id
        self._session_id = session_id
        self.rows: dict[ShardKind, list[dict[str, Any]]] = {
            "items": [],
            "requests": [],
            "logged_scores": [],
            "failures": [],
            "answers": [],
        }

    def add(self, sample: LoggedSample, benchmark_id: str) -> str:
        """Add what a line says; the hash of its item."""
        item_hash = self._item(sample, benchmark_id)
        if sample.form == "generation":
            for index, completion in enumerate(sample.completions):
                name = self._request(sample, benchmark_id, item_hash, 0, index)
                self._answer(name, completion_text=completion)
                self._logged(name, item_hash, sample, sample.answer)
            return item_hash
        count = len(sample.contexts) * len(sample.continuations)
        for variant in range(len(sample.contexts)):
            name = self._request(sample, benchmark_id, item_hash, variant, 0)
            size = len(sample.continuations)
            values = sample.log_likelihoods[variant * size : (variant + 1) * size]
            self._weighed(name, values)
            if variant == 0:
                self._logged(name, item_hash, sample, None)
        if sample.unconditional:
            name = self._request(sample, benchmark_id, item_hash, 0, 0, is_unconditional=True)
            self._weighed(name, sample.log_likelihoods[count:])
        return item_hash

    def _item(self, sample: LoggedSample, benchmark_id: str) -> str:
        gold = sample.gold_index(self._reading.gold) if self._reading.gold else None
        choices = (
            sample.contexts
            if sample.form == "contexts"
            else tuple(text.removeprefix(" ") for text in sample.continuations)
        )
        doc = json.dumps(sample.doc, ensure_ascii=False, sort_keys=True)
        item_hash = _hash(ENGINE, benchmark_id, sample.doc_id, doc, sample.target, *choices)
        self.rows["items"].append(
            {
                "item_hash": item_hash,
                "item_set": "imported",
                "benchmark_id": benchmark_id,
                "item_id": sample.doc_id,
                "item_index": int(sample.doc_id) if sample.doc_id.isdecimal() else 0,
                "subset": "",
                "cluster_id": sample.doc_id,
                "fields": doc,
                "target": sample.target,
                "golds": sample.golds,
                "choices": choices,
                "gold_index": gold,
            }
        )
        return item_hash

    def _request(
        self,
        sample: LoggedSample,
        benchmark_id: str,
        item_hash: str,
        variant: int,
        sample_index: int,
        *,
        is_unconditional: bool = False,
    ) -> str:
        purpose = "unconditional" if is_unconditional else "answer"
        prompt = "" if is_unconditional else sample.contexts[variant]
        continuations = sample.unconditional if is_unconditional else sample.continuations
        decoding = json.dumps(sample.decoding, ensure_ascii=False, sort_keys=True)
        # With the file: what one engine answered is never taken for what another would.
        name = _hash(
            ENGINE,
            self._file.digest,
            self._model,
            self._revision,
            sample.doc_id,
            purpose,
            str(variant),
            str(sample_index),
            prompt,
            *continuations,
            decoding,
        )
        self.rows["requests"].append(
            {
                "run_id": self._run_id,
                "benchmark_id": benchmark_id,
                "protocol_version": self._file.task_version,
                "scorer": self._reading.scorer,
                "item_hash": item_hash,
                "sample_index": sample_index,
                "variant_index": variant,
                "purpose": purpose,
                "request_id": name,
                "target_token_ids": None,
                "model_id": self._model,
                "model_revision": self._revision,
                "tokenizer_id": "unknown",
                "kind": "log_likelihood" if continuations else "generation",
                "prompt_id": prompt_id(prompt),
                "prompt_text": prompt,
                "continuations": continuations,
                "decoding": decoding,
                "prompt_token_count": None,
                "dropped_token_count": 0,
            }
        )
        return name

    def _weighed(self, name: str, values: tuple[float, ...]) -> None:
        # Minus infinity is a log-likelihood: no mass at all.
        if not any(math.isnan(value) or value == math.inf for value in values):
            self._answer(name, log_likelihoods=values)
            return
        self.rows["failures"].append(
            {
                "request_id": name,
                "session_id": self._session_id,
                "endpoint": ENGINE,
                "error": f"log-likelihoods were logged as {values}",
                "attempt_count": 1,
                "failed_at": self._file.logged_at,
            }
        )

    def _answer(
        self,
        name: str,
        *,
        completion_text: str | None = None,
        log_likelihoods: tuple[float, ...] | None = None,
    ) -> None:
        self.rows["answers"].append(
            {
                "request_id": name,
                "session_id": self._session_id,
                "endpoint": ENGINE,
                "input_token_count": None,
                "output_token_count": None,
                "cached_token_count": None,
                "attempt_count": None,
                "latency_seconds": None,
                "answered_at": self._file.logged_at,
                "completion_text": completion_text,
                "stop_reason": None,
                "completion_token_ids": None,
                "log_likelihoods": log_likelihoods,
                "token_counts": None if log_likelihoods is None else [None] * len(log_likelihoods),
                "is_single_token": None,
            }
        )

    def _logged(self, name: str, item_hash: str, sample: LoggedSample, answer: str | None) -> None:
        for metric, score in sample.scores.items():
            self.rows["logged_scores"].append(
                {
                    "request_id": name,
                    "item_hash": item_hash,
                    # As in the harness's own tables of results.
                    "metric": metric if sample.filter == "none" else f"{metric},{sample.filter}",
                    "is_main": metric == self._reading.main_metrics[sample.filter],
                    "logged_score": score,
                    "answer_text": answer,
                }
            )


class _Writer:
    """Writes the shards of one import, numbered."""

    def __init__(self, folder: Path, session_id: str) -> None:
        self._folder = folder
        self._session_id = session_id
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, kind: ShardKind, rows: list[dict[str, Any]]) -> None:
        if rows:
            table = pa.Table.from_pylist(rows, schema=SCHEMAS[kind])
            write_shard(self._folder, self._session_id, self._number, kind, table)
            self._number += 1


def _hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:32]
