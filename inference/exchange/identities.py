"""Identities: whether what is named by a hash of its content has the content that it is named by.

And whether a benchmark is scored by the scorer that its declaration names.

Items and requests of the raw store are hashed again, those that this project has asked and those
that were imported. What a hash covers and the raw store does not keep is tried in all its values.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from inference.errors import DeclarationError
from inference.exchange.lm_eval_samples import HARNESS
from inference.exchange.sample_shards import imported_item_hash, imported_request_id
from inference.planning.declarations import read_benchmark
from inference.planning.items import item_hash_of_content
from inference.planning.requests import Model, Sampling, request_id
from warehouse.checking import shown
from warehouse.examining import Finding, first_of
from warehouse.raw_store import open_raw_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import duckdb

BATCH = 10_000

SAMPLING = {field.name for field in fields(Sampling)}

ITEMS = """
select '' as run_id, benchmark_id, item_hash, item_set, item_id, fields, target, golds, choices,
    gold_index
from raw.items
order by item_hash"""

REQUESTS = """
select
    run_requests.run_id, run_requests.benchmark_id, requests.request_id, items.item_set,
    items.item_id, run_requests.purpose, run_requests.variant_index, requests.model_id,
    requests.model_revision, requests.tokenizer_id, requests.kind, prompts.prompt_text,
    requests.continuations, requests.decoding, requests.sample_index,
    requests.dropped_token_count, run_files.sha256
from (
    select distinct on (request_id) * from raw.run_requests order by request_id, run_id
) as run_requests
inner join raw.requests on run_requests.request_id = requests.request_id
inner join raw.prompts on requests.prompt_id = prompts.prompt_id
inner join raw.items on run_requests.item_hash = items.item_hash
left join raw.run_files
    on items.item_set = 'imported'
    and run_requests.run_id = run_files.run_id
    and run_requests.benchmark_id = run_files.benchmark_id
    and run_files.role = 'samples'"""


SCORERS = """
select distinct
    run_requests.run_id, run_requests.benchmark_id, run_requests.protocol_version,
    run_requests.scorer, run_sessions.protocol
from raw.run_requests
inner join raw.run_sessions on run_requests.run_id = run_sessions.run_id
where run_sessions.item_set != 'imported'
order by all"""


def misscored(store: Path) -> list[Finding]:
    """Benchmarks of runs with another scorer than their declaration, where its version is theirs.

    Of a version that is no longer declared, nobody knows the scorer.

    Raises:
        RawStoreBusyError, RawStoreUnreadableError, RawStoreVersionError: as of `open_raw_store`.
    """
    findings: list[Finding] = []
    with open_raw_store(store, read_only=True) as connection:
        asked = connection.execute(SCORERS).fetchall()
    for run_id, benchmark_id, version, scorer, protocol in asked:
        try:
            declared = read_benchmark(benchmark_id, protocol)
        except DeclarationError:
            continue
        if declared.protocol_version == version and declared.scorer != scorer:
            what = f"scorer is {shown(scorer)}, but is declared to be scored by {declared.scorer}"
            findings.append(Finding("raw.run_requests", run_id, benchmark_id, 1, what))
    return findings


def misnamed(store: Path) -> list[Finding]:
    """Items and requests of the raw store whose content is not what their hash says.

    Raises:
        RawStoreBusyError, RawStoreUnreadableError, RawStoreVersionError: as of `open_raw_store`.
    """
    findings: list[Finding] = []
    with open_raw_store(store, read_only=True) as connection:
        for table, column, query, is_right in (
            ("raw.items", "item_hash", ITEMS, _is_item_right),
            ("raw.requests", "request_id", REQUESTS, _is_request_right),
        ):
            wrong: dict[tuple[str, str], list[str]] = {}
            for row in _rows(connection, query):
                if not is_right(row):
                    owner = (row["run_id"], row["benchmark_id"])
                    wrong.setdefault(owner, []).append(row[column])
            findings += [
                Finding(table, *owner, len(ids), f"its content has another hash: {first_of(ids)}")
                for owner, ids in sorted(wrong.items())
            ]
    return findings


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[dict[str, Any]]:
    found = connection.execute(query)
    names = [column[0] for column in found.description or ()]
    while batch := found.fetchmany(BATCH):
        for row in batch:
            yield dict(zip(names, row, strict=True))


def _is_item_right(row: dict[str, Any]) -> bool:
    name: str = row["item_hash"]
    if row["item_set"] == "imported":
        return name == imported_item_hash(
            HARNESS,
            row["benchmark_id"],
            row["item_id"],
            row["fields"],
            row["target"],
            row["gold_index"],
            row["choices"],
        )
    named = json.loads(row["fields"])
    if not isinstance(named, dict):
        return False
    content = (
        tuple(sorted(named.items())),
        row["target"],
        tuple(row["golds"]),
        tuple(row["choices"]),
    )
    return name == item_hash_of_content(
        row["benchmark_id"], row["item_id"], content, row["gold_index"]
    )


def _is_request_right(row: dict[str, Any]) -> bool:
    is_measured = row["item_set"] != "imported" and row["kind"] == "generation"
    if is_measured and json.loads(row["decoding"]).keys() != SAMPLING:
        # Asked by code that says more or less of decoding: what its hash covers is not known.
        return True
    return any(name == row["request_id"] for name in _request_ids(row))


def _request_ids(row: dict[str, Any]) -> Iterable[str]:
    if row["item_set"] == "imported":
        yield imported_request_id(
            HARNESS,
            row["sha256"] or "",
            row["model_id"],
            row["model_revision"],
            row["item_id"],
            purpose=row["purpose"],
            variant_index=row["variant_index"],
            sample_index=row["sample_index"],
            prompt=row["prompt_text"],
            continuations=row["continuations"],
            decoding=row["decoding"],
        )
        return
    sampling = _sampling(row["decoding"]) if row["kind"] == "generation" else None
    for special_tokens in (True, False):
        yield request_id(
            Model(row["model_id"], row["model_revision"], row["tokenizer_id"]),
            row["kind"],
            row["prompt_text"],
            continuations=tuple(row["continuations"]),
            sampling=sampling,
            sample_index=row["sample_index"],
            special_tokens=special_tokens,
            dropped_token_count=row["dropped_token_count"],
        )


def _sampling(decoding: str) -> Sampling:
    values = json.loads(decoding)
    return Sampling(**(values | {"stop": tuple(values["stop"])}))
