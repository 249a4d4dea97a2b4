"""Made-up runs without a fault: one benchmark of each kind of scorer, a row in every table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from inference.planning.requests import prompt_id
from tests.warehouse.run_shapes import NOW
from warehouse.shard_files import SCHEMAS

if TYPE_CHECKING:
    from tests.warehouse.run_shapes import Rows

SCORERS = {
    "choices": "most_likely_choice",
    "answers": "last_number",
    "translations": "bleu",
    "programs": "program_passes",
    "logged": "as_logged",
}
"""Scorers of the benchmarks of a made-up run, by the name of the benchmark."""

OF_RUN = {
    "run_sessions": "run_id = '{run}'",
    "run_session_ends": "session_id = '{run}-session'",
    "run_files": "run_id = '{run}'",
    "items": "starts_with(item_hash, '{run}-')",
    "prompts": "starts_with(prompt_text, '{run}-')",
    "run_requests": "run_id = '{run}'",
}
"""By table of the raw store: which rows are a run's; of others, those of its requests."""


def rows_of(table: str, run: str) -> str:
    """The condition, in SQL, of the rows of a table of the raw store that are the run's."""
    return OF_RUN.get(table, "starts_with(request_id, '{run}-')").format(run=run)


def made_run(
    run: str,
    *,
    scorers: dict[str, str] = SCORERS,
    item_count: int = 2,
    protocol_version: str = "1",
    item_set: str = "demo",
    model_id: str = "example/made",
) -> Rows:
    """Rows by kind of shard of a run of that name: of some items of each benchmark, one fails."""
    rows: Rows = {kind: [] for kind in SCHEMAS}
    session: dict[str, Any] = {"run_id": run, "model_id": model_id, "model_revision": "r"}
    session |= {"tokenizer_id": "t"}
    told = {"session_id": f"{run}-session", "endpoint": "e"}
    rows["session"].append(
        session
        | {"session_id": f"{run}-session", "item_set": item_set, "protocol": "reference"}
        | {"benchmark_ids": list(scorers), "endpoints": ["e"], "engine": "sglang"}
        | {"configuration": json.dumps({"limit": 2}), "server_arguments": "{}", "started_at": NOW}
    )
    for benchmark_id, scorer in scorers.items():
        rows["files"].append(
            {"run_id": run, "benchmark_id": benchmark_id, "role": "test", "file_name": "f"}
            | {"sha256": "0", "departure": "", "protocol_version": protocol_version}
        )
        for number in range(item_count):
            name = f"{run}-{benchmark_id}-{number}"
            choices = ["a", "b", "c"] if scorer == "most_likely_choice" else []
            item = {"item_hash": name, "item_set": item_set, "benchmark_id": benchmark_id}
            rows["items"].append(
                item
                | {"item_id": str(number), "item_index": number, "subset": "", "cluster_id": name}
                | {"fields": "{}", "target": "7", "golds": ["7"], "choices": choices}
                | {"gold_index": 1 if choices else None}
            )
            prompt = f"{name}?"
            rows["requests"].append(
                session
                | {
                    "benchmark_id": benchmark_id,
                    "protocol_version": protocol_version,
                    "scorer": scorer,
                }
                | {"item_hash": name, "sample_index": 0, "variant_index": 0, "purpose": "answer"}
                | {"request_id": name, "kind": "log_likelihood" if choices else "generation"}
                | {"prompt_id": prompt_id(prompt), "prompt_text": prompt, "continuations": choices}
                | {"decoding": "{}", "prompt_token_count": 9, "dropped_token_count": 0}
            )
            rows["answers"].append(
                {"request_id": name, **told, "answered_at": NOW}
                | (
                    {"log_likelihoods": [-2.0, -1.0, -3.0], "token_counts": [1, 1, 1]}
                    if choices
                    else {"completion_text": f"it is {7 + number}", "stop_reason": "stop"}
                )
            )
            _measurements(rows, name, scorer)
    request_count = len(rows["requests"])
    counts = {"request_count": request_count, "answered_count": request_count, "failed_count": 0}
    rows["session_end"].append({"session_id": f"{run}-session", **counts, "finished_at": NOW})
    last = rows["requests"][-1]["request_id"]
    rows["failures"].append(
        {"request_id": last, **told, "error": "busy", "attempt_count": 1, "failed_at": NOW}
    )
    return rows


def _measurements(rows: Rows, name: str, scorer: str) -> None:
    measured = {"request_id": name, "item_hash": name, "measure_id": scorer}
    measured |= {"measure_version": 1, "measured_at": NOW}
    if scorer == "bleu":
        rows["translations"].append(
            measured
            | {"match_counts": [3, 2, 1, 1], "ngram_counts": [5, 4, 3, 2]}
            | {"candidate_length": 5, "reference_length": 6, "sentence_bleu": 0.5}
        )
    if scorer == "program_passes":
        rows["programs"].append(
            measured
            | {"outcome": "passed", "error_head": "", "wall_seconds": 0.1, "is_recorded": False}
        )
    if scorer == "as_logged":
        rows["logged_scores"].append(
            {"request_id": name, "item_hash": name, "metric": "acc", "is_main": True}
            | {"logged_score": 0.5, "answer_text": None}
        )
