"""Runs of every shape: what a measured run may hold, for each scorer, made by hypothesis."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from hypothesis import strategies as st

from inference.planning.requests import prompt_id
from tests.dbt_project import REPOSITORY
from warehouse.records import LOWEST_LOG_LIKELIHOOD
from warehouse.shard_files import SCHEMAS, write_shard

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.shard_files import ShardKind

NOW = datetime(2026, 11, 23, tzinfo=UTC)

with (REPOSITORY / "warehouse" / "seeds" / "scorers.csv").open(newline="") as seed:
    SCORER_KINDS = {row["scorer_id"]: row["scorer_kind"] for row in csv.DictReader(seed)}

texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", " ", "\x00", "\u0085", "\n\n", "#### ", "#### 1,0", "the answer is ", "-", "1.", "٣"]
    ),
)

log_likelihoods = st.one_of(
    st.floats(LOWEST_LOG_LIKELIHOOD, 0), st.sampled_from([float("-inf"), -0.0, 1e-5])
)

token_ids = st.one_of(st.none(), st.lists(st.integers(0, 3), max_size=5))

Rows = dict["ShardKind", list[dict[str, Any]]]


@st.composite
def runs(draw: st.DrawFn, name: str) -> Rows:
    """Rows by kind of shard of a run of that name."""
    scorer = draw(st.sampled_from(sorted(SCORER_KINDS)))
    rows: Rows = {kind: [] for kind in SCHEMAS}
    benchmark_id = draw(st.sampled_from(["gsm8k", "xwino_en", "a b", "é/\x00"]))
    rows["session"].append(
        {
            "run_id": name,
            "session_id": f"{name}-session",
            "item_set": "demo",
            # Under it any scorer may have scored what is named like a benchmark.
            "protocol": "made up",
            "model_id": draw(texts),
            "model_revision": draw(texts),
            "tokenizer_id": "t",
            "benchmark_ids": [benchmark_id],
            "endpoints": [],
            "engine": "sglang",
            "configuration": json.dumps(draw(st.dictionaries(texts, texts, max_size=2))),
            "started_at": NOW,
        }
    )
    if draw(st.booleans()):
        # The same run, gone on with later.
        rows["session"].append({**rows["session"][0], "session_id": f"{name}-session2"})
    if draw(st.booleans()):
        counts = {"request_count": 1, "answered_count": 1, "failed_count": 0}
        rows["session_end"].append({"session_id": f"{name}-session", **counts, "finished_at": NOW})
    for number in range(draw(st.integers(1, 3))):
        _item(draw, rows, f"{name}-{number}", number, benchmark_id, scorer)
    return rows


def _item(
    draw: st.DrawFn, rows: Rows, name: str, number: int, benchmark_id: str, scorer: str
) -> None:
    kind = SCORER_KINDS[scorer]
    size = draw(st.integers(1, 4)) if kind == "choice" else 0
    # These compare an answer with golds, which an item that they score has.
    gold_count = 1 if scorer in ("any_alias", "last_number") else 0
    rows["items"].append(
        {
            "item_hash": name,
            "item_set": "demo",
            "benchmark_id": benchmark_id,
            "item_id": draw(texts),
            "item_index": number,
            "subset": draw(texts),
            "cluster_id": draw(texts),
            "fields": json.dumps(draw(st.dictionaries(texts, texts, max_size=2))),
            "target": draw(texts),
            "golds": draw(st.lists(texts, min_size=gold_count, max_size=3)),
            "choices": draw(st.lists(texts, min_size=size, max_size=size)),
            "gold_index": draw(st.sampled_from(range(size))) if size else None,
        }
    )
    are_contexts = scorer == "most_likely_context"
    variants = size if are_contexts else 1
    width = 1 if are_contexts else size
    for sample in range(1 if size else draw(st.integers(1, 2))):
        for variant in range(variants):
            _request(draw, rows, (name, sample, variant), width, scorer)


def _request(
    draw: st.DrawFn, rows: Rows, key: tuple[str, int, int], width: int, scorer: str
) -> None:
    item_hash, sample, variant = key
    session = rows["session"][0]
    name = f"{item_hash}-{sample}-{variant}"
    prompt = draw(texts)
    rows["requests"].append(
        {
            "run_id": session["run_id"],
            "benchmark_id": session["benchmark_ids"][0],
            "protocol_version": "1",
            "scorer": scorer,
            "item_hash": item_hash,
            "sample_index": sample,
            "variant_index": variant,
            "purpose": "answer",
            "request_id": name,
            "target_token_ids": draw(token_ids),
            "model_id": session["model_id"],
            "model_revision": session["model_revision"],
            "tokenizer_id": "t",
            "kind": "log_likelihood" if width else "generation",
            "prompt_id": prompt_id(prompt),
            "prompt_text": prompt,
            "continuations": draw(st.lists(texts, min_size=width, max_size=width)),
            "decoding": "{}",
            "dropped_token_count": 0,
        }
    )
    told = {"request_id": name, "session_id": session["session_id"], "endpoint": "e"}
    fates = ["answered", "answered", "answered", "failed", "answered later", "unasked"]
    fate = draw(st.sampled_from(fates))
    if fate in ("failed", "answered later"):
        rows["failures"].append(
            {**told, "error": draw(texts), "attempt_count": 1, "failed_at": NOW}
        )
    if fate in ("failed", "unasked"):
        return
    # By whichever session came to it last, which may be the one that failed before.
    answer: dict[str, Any] = {
        **told,
        "session_id": rows["session"][-1]["session_id"],
        "answered_at": NOW,
    }
    if width:
        answer["log_likelihoods"] = draw(st.lists(log_likelihoods, min_size=width, max_size=width))
        answer["token_counts"] = [1] * width
        answer["is_single_token"] = draw(st.booleans())
    else:
        answer["completion_text"] = draw(texts)
        answer["stop_reason"] = draw(st.sampled_from(["stop", "length", None]))
        answer["completion_token_ids"] = draw(token_ids)
        _measurement(draw, rows, name, item_hash, scorer)
    rows["answers"].append(answer)


def _measurement(draw: st.DrawFn, rows: Rows, request_id: str, item_hash: str, scorer: str) -> None:
    kind = SCORER_KINDS[scorer]
    measured = {
        "request_id": request_id,
        "item_hash": item_hash,
        "measure_id": scorer,
        "measure_version": draw(st.integers(1, 2)),
        "measured_at": NOW,
    }
    if kind == "translation" and draw(st.booleans()):
        length = draw(st.integers(0, 6))
        ngrams = [max(length - n, 0) for n in range(4)]
        matches = [draw(st.integers(0, count)) for count in ngrams]
        rows["translations"].append(
            measured
            | {"match_counts": matches, "ngram_counts": ngrams}
            | {"candidate_length": length, "reference_length": draw(st.integers(0, 6))}
            | {"sentence_bleu": draw(st.sampled_from([0.0, 0.5, 1.0000000000000004]))}
        )
    if kind == "program" and draw(st.booleans()):
        outcomes = ["passed", "failed", "timed_out", "killed_memory", "sandbox_error"]
        rows["programs"].append(
            measured
            | {"outcome": draw(st.sampled_from(outcomes)), "error_head": draw(texts)}
            | {"wall_seconds": draw(st.floats(0, 10)), "is_recorded": False}
        )


def write_rows(folder: Path, rows: Rows) -> None:
    """A shard for each kind of rows."""
    folder.mkdir(exist_ok=True)
    for number, (kind, some) in enumerate(rows.items()):
        if some:
            write_shard(
                folder, "made", number, kind, pa.Table.from_pylist(some, schema=SCHEMAS[kind])
            )
