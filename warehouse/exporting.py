"""Exporting: a run's samples in the shape that lm-evaluation-harness writes them.

A line of JSON per item, as its `--log_samples` has written since version 0.4: viewers and scripts
for those files read these. What it calls a document is an item, and a response is a completion or
a log-likelihood with a mark whether it was the likeliest text, which is not known here (null).
"""

from __future__ import annotations

import hashlib
import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from warehouse.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

_SAMPLES = """
    with log_likelihoods as (
        select request_id, list(log_likelihood order by continuation_index) as log_likelihoods
        from staging.stg_log_likelihoods
        group by request_id
    )
    select
        items.item_index, scores.item_hash, items.fields, items.target, requests.decoding,
        requests.continuations, prompts.prompt_text, generations.completion_text,
        log_likelihoods.log_likelihoods, scores.answer_text, scores.score, benchmarks.metric
    from marts.fct_item_scores as scores
    inner join staging.stg_items as items using (item_hash)
    inner join staging.stg_run_requests as asked
        on scores.run_id = asked.run_id and scores.item_hash = asked.item_hash
        and scores.sample_index = asked.sample_index and asked.purpose = 'answer'
    inner join staging.stg_requests as requests on asked.request_id = requests.request_id
    inner join staging.stg_prompts as prompts using (prompt_id)
    left join staging.stg_generations as generations on asked.request_id = generations.request_id
    left join log_likelihoods on asked.request_id = log_likelihoods.request_id
    left join marts.dim_benchmarks as benchmarks on scores.benchmark_id = benchmarks.benchmark_id
    where scores.run_id = ? and scores.benchmark_id = ?
    order by items.item_index, scores.item_hash, scores.sample_index, asked.variant_index"""


def export_samples(
    connection: duckdb.DuckDBPyConnection, run_id: str, folder: Path
) -> dict[str, int]:
    """Write `samples_<benchmark>.jsonl` for each benchmark of the run; items by benchmark.

    `connection` reads a warehouse with the raw store attached. Files that are there are replaced.

    Raises:
        QueryError: there is no such run.
    """
    benchmark_ids = connection.execute(
        "select distinct benchmark_id from marts.fct_item_scores where run_id = ? order by all",
        [run_id],
    ).fetchall()
    if not benchmark_ids:
        runs = connection.execute(
            "select distinct run_id from marts.fct_run_scores order by all"
        ).fetchall()
        known = ", ".join(run for (run,) in runs) or "none"
        raise QueryError(f"there is no run {run_id!r}; there are: {known}")
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    for (benchmark_id,) in benchmark_ids:
        path = folder / f"samples_{benchmark_id}.jsonl"
        temporary = path.with_name(f".{path.name}.tmp")
        counts[benchmark_id] = 0
        with temporary.open("w", encoding="utf-8") as file:
            for document in _documents(connection, run_id, benchmark_id):
                file.write(json.dumps(document, ensure_ascii=False) + "\n")
                counts[benchmark_id] += 1
        temporary.replace(path)
    return counts


def _documents(
    connection: duckdb.DuckDBPyConnection, run_id: str, benchmark_id: str
) -> Iterator[dict[str, Any]]:
    cursor = connection.execute(_SAMPLES, [run_id, benchmark_id])
    names = [column[0] for column in cursor.description or ()]
    rows = (dict(zip(names, row, strict=True)) for row in iter(cursor.fetchone, None))
    for _, group in groupby(rows, key=lambda row: row["item_hash"]):
        yield _document(list(group))


def _document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One item with all of its samples, or of its contexts."""
    first = rows[0]
    is_weighed = bool(first["continuations"])
    arguments: list[list[Any]] = []
    responses: list[list[Any]] = []
    if is_weighed:
        for row in rows:
            values = row["log_likelihoods"] or [None] * len(row["continuations"])
            for continuation, value in zip(row["continuations"], values, strict=True):
                arguments.append([row["prompt_text"], continuation])
                responses.append([[value, None]])
    else:
        sampling = json.loads(first["decoding"])
        options = {
            "until": sampling["stop"],
            "max_gen_toks": sampling["max_new_tokens"],
            "temperature": sampling["temperature"],
            "do_sample": sampling["temperature"] > 0,
        }
        arguments.append([first["prompt_text"], options])
        responses.append([row["completion_text"] for row in rows])
    scores = [row["score"] for row in rows] if not is_weighed else [first["score"]]
    known = [score for score in scores if score is not None]
    return {
        "doc_id": first["item_index"],
        "doc": json.loads(first["fields"]),
        "target": first["target"],
        "arguments": arguments,
        "resps": responses,
        "filtered_resps": [first["answer_text"]]
        if is_weighed
        else [row["answer_text"] for row in rows],
        "doc_hash": first["item_hash"],
        "prompt_hash": _hash(first["prompt_text"]),
        "target_hash": _hash(first["target"]),
        # Null where nothing could be scored, which lm-evaluation-harness does not know.
        first["metric"] or "score": sum(known) / len(known) if known else None,
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
