"""Exporting: a run's samples and scores in the files that lm-evaluation-harness writes.

`samples_<benchmark>_<time>.jsonl` has a line of JSON per item, as its `--log_samples` has written
since version 0.4, and `results_<time>.json` the scores: viewers and scripts for those files read
these. What it calls a document is an item, and a response is a completion or a log-likelihood with
a mark whether it was the likeliest text, which is not known here (null).
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any

import duckdb

from warehouse.errors import QueryError
from warehouse.whole_files import clean_up, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILE_PART_BYTES = 150
"""Of a benchmark's name in a file's; file systems take 255 bytes for the whole."""

_RUN = """
    select
        run_scores.model_id, run_scores.benchmark_id, run_scores.score, run_scores.standard_error,
        coalesce(benchmarks.metric, 'score') as metric, run_scores.item_count,
        run_scores.unscored_count, run_scores.scorer_id, run_scores.scorer_version,
        run_scores.protocol_version,
        (
            select max(answers.answered_at at time zone 'UTC')
            from staging.stg_run_requests as asked
            inner join staging.stg_answers as answers using (request_id)
            where asked.run_id = run_scores.run_id
        ) as answered_at
    from marts.fct_run_scores as run_scores
    left join marts.dim_benchmarks as benchmarks using (benchmark_id)
    where run_scores.run_id = ?
    -- Of several versions of the protocol the one that was answered last.
    qualify row_number() over (
        partition by run_scores.benchmark_id
        order by run_scores.answered_on desc nulls last, run_scores.protocol_version desc
    ) = 1
    order by run_scores.benchmark_id"""

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
        and scores.protocol_version = asked.protocol_version
        and scores.sample_index = asked.sample_index and asked.purpose = 'answer'
    inner join staging.stg_requests as requests on asked.request_id = requests.request_id
    inner join staging.stg_prompts as prompts using (prompt_id)
    left join staging.stg_generations as generations on asked.request_id = generations.request_id
    left join log_likelihoods on asked.request_id = log_likelihoods.request_id
    left join marts.dim_benchmarks as benchmarks on scores.benchmark_id = benchmarks.benchmark_id
    where scores.run_id = ? and scores.benchmark_id = ? and scores.protocol_version = ?
    order by items.item_index, scores.item_hash, scores.sample_index, asked.variant_index"""


def export_samples(
    connection: duckdb.DuckDBPyConnection, run_id: str, folder: Path
) -> dict[str, int]:
    """Write a file of samples for each benchmark of the run, and one of results.

    `connection` reads a warehouse with the raw store attached. Files that are there are replaced.
    Returns the number of items by benchmark.

    Raises:
        QueryError: there is no such run, nothing of it has been answered, or the warehouse or the
            raw store is damaged or lacks a table.
        DiskError: a file cannot be written.
    """
    with _duckdb_errors():
        return _exported(connection, run_id, folder)


@contextmanager
def _duckdb_errors() -> Iterator[None]:
    """What DuckDB says, and what to do about it."""
    try:
        yield
    except duckdb.ProgrammingError as error:
        raise QueryError(
            f"the warehouse has not what an export needs ({str(error).splitlines()[0]}): run"
            " `dbt build`, without a selection"
        ) from error
    except duckdb.Error as error:
        raise QueryError(
            f"the warehouse or the raw store cannot be read ({str(error).splitlines()[0]}):"
            " `evalwh check` looks at the raw store, and `dbt build` makes a new warehouse"
        ) from error


def _exported(connection: duckdb.DuckDBPyConnection, run_id: str, folder: Path) -> dict[str, int]:
    cursor = connection.execute(_RUN, [run_id])
    names = [column[0] for column in cursor.description or ()]
    scores = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    if not scores:
        runs = connection.execute(
            "select distinct run_id from marts.fct_run_scores order by all"
        ).fetchall()
        known = ", ".join(run for (run,) in runs) or "none"
        raise QueryError(f"there is no run {run_id!r}; there are: {known}")
    answered_at = scores[0]["answered_at"]
    if answered_at is None:
        raise QueryError(f"nothing of the run {run_id!r} has been answered yet")
    moment = answered_at.isoformat(timespec="microseconds").replace(":", "-")
    folder.mkdir(parents=True, exist_ok=True)
    clean_up(folder)
    counts: dict[str, int] = {}
    taken: set[str] = set()
    for score in scores:
        benchmark_id = score["benchmark_id"]
        name = f"samples_{_file_part(benchmark_id, taken)}_{moment}.jsonl"
        lines = (
            json.dumps(document, ensure_ascii=False)
            for document in _documents(connection, run_id, benchmark_id, score["protocol_version"])
        )
        counts[benchmark_id] = _write_lines(folder / name, lines)
    results = json.dumps(_results(scores, answered_at.timestamp()), ensure_ascii=False, indent=2)
    _write_lines(folder / f"results_{moment}.json", [results])
    return counts


def _file_part(benchmark_id: str, taken: set[str]) -> str:
    """A benchmark's name as part of a file name, another one than those that are taken.

    Imported benchmarks have the names that their logs gave them: of a path, with signs that no
    file system takes, as long as they like.
    """
    usual = benchmark_id.replace("/", "_")
    part = re.sub(r"[^\w .,+=@()-]", "_", usual).encode()[:FILE_PART_BYTES].decode(errors="ignore")
    if part != usual or part in taken:
        part += "-" + _hash(benchmark_id)[:8]
    taken.add(part)
    return part


def _write_lines(path: Path, lines: Iterable[str]) -> int:
    """The number of lines, which are in the file wholly or not at all."""
    count = 0
    with whole_file(path) as written, written.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line + "\n")
            count += 1
    return count


def _results(scores: list[dict[str, Any]], date: float) -> dict[str, Any]:
    """What the harness writes of a run as a whole, as far as it is known here."""
    return {
        "results": {
            score["benchmark_id"]: {
                "alias": score["benchmark_id"],
                f"{score['metric']},none": score["score"],
                f"{score['metric']}_stderr,none": score["standard_error"],
            }
            for score in scores
        },
        "versions": {
            score["benchmark_id"]: f"{score['scorer_id']} {score['scorer_version']}"
            for score in scores
        },
        "n-samples": {
            score["benchmark_id"]: {
                "original": score["item_count"] + score["unscored_count"],
                "effective": score["item_count"],
            }
            for score in scores
        },
        "config": {"model": "evalwh", "model_args": {"pretrained": scores[0]["model_id"]}},
        "date": date,
        "model_name": scores[0]["model_id"],
    }


def _documents(
    connection: duckdb.DuckDBPyConnection, run_id: str, benchmark_id: str, protocol_version: str
) -> Iterator[dict[str, Any]]:
    cursor = connection.execute(_SAMPLES, [run_id, benchmark_id, protocol_version])
    names = [column[0] for column in cursor.description or ()]
    rows = (dict(zip(names, row, strict=True)) for row in iter(cursor.fetchone, None))
    for _, group in groupby(rows, key=lambda row: row["item_hash"]):
        yield _document(list(group))


def _document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One item with all of its samples, or of its contexts."""
    first = rows[0]
    is_weighed = bool(first["continuations"])
    arguments: list[tuple[str, Any]] = []
    responses: list[list[Any]] = []
    if is_weighed:
        for row in rows:
            values = row["log_likelihoods"] or [None] * len(row["continuations"])
            for continuation, value in zip(row["continuations"], values, strict=True):
                arguments.append((row["prompt_text"], continuation))
                # Numbers are text in these files.
                responses.append([[None if value is None else str(value), None]])
    else:
        arguments.append((first["prompt_text"], _options(json.loads(first["decoding"]))))
        responses.append([row["completion_text"] for row in rows])
    scores = [row["score"] for row in rows] if not is_weighed else [first["score"]]
    known = [score for score in scores if score is not None]
    metric = first["metric"] or "score"
    return {
        "doc_id": first["item_index"],
        "doc": json.loads(first["fields"]),
        "target": first["target"],
        "arguments": {
            f"gen_args_{index}": {"arg_0": prompt, "arg_1": second}
            for index, (prompt, second) in enumerate(arguments)
        },
        "resps": responses,
        "filtered_resps": [first["answer_text"]]
        if is_weighed
        else [row["answer_text"] for row in rows],
        "filter": "none",
        "metrics": [metric],
        "doc_hash": first["item_hash"],
        "prompt_hash": _hash(first["prompt_text"]),
        "target_hash": _hash(first["target"]),
        # Null where nothing could be scored, which lm-evaluation-harness does not know.
        metric: sum(known) / len(known) if known else None,
    }


def _options(decoding: dict[str, Any]) -> dict[str, Any]:
    """Decoding parameters by the harness's names; those of imported samples have them already."""
    if "max_new_tokens" not in decoding:
        return decoding
    return {
        "until": decoding["stop"],
        "max_gen_toks": decoding["max_new_tokens"],
        "temperature": decoding["temperature"],
        "do_sample": decoding["temperature"] > 0,
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
