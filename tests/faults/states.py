"""States: what a store or a file holds, so that two of them can be compared row by row."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, TypeAlias

import duckdb

from tests.faults.fake_server import MODEL, completion_of, log_likelihood_of

if TYPE_CHECKING:
    from pathlib import Path

    from inference.planning.tokenizers import Tokenizer

State: TypeAlias = dict[str, Counter[str]]
"""By table or file: its rows, and how often each is there."""

BOOKKEEPING = {"loaded_shards", "migrations", "run_sessions", "run_session_ends", "failures"}
"""Tables of the raw store that say when and by whom something was done."""

OF_ONE_TRY = {
    "session_id",
    "endpoint",
    "latency_seconds",
    "wall_seconds",
    "attempt_count",
    "cached_token_count",
    "error_head",
}
"""Columns that may differ from one try to the next."""


def raw_state(store: Path) -> State:
    """The rows of the raw store, but for what differs from one try to the next."""
    with closing(duckdb.connect(store, read_only=True)) as connection:
        return _tables(connection, "raw", without=BOOKKEEPING)


def marts_state(warehouse: Path) -> State:
    """The rows of the published marts."""
    with closing(duckdb.connect(warehouse, read_only=True)) as connection:
        return _tables(connection, "marts", without=set())


def _tables(connection: duckdb.DuckDBPyConnection, schema: str, without: set[str]) -> State:
    found: State = {}
    tables = connection.execute(
        "select table_name from duckdb_tables() where schema_name = ? and database_name ="
        " current_database()",
        [schema],
    ).fetchall()
    for (table,) in tables:
        if table in without:
            continue
        columns = connection.execute(f"describe {schema}.{table}").fetchall()
        kept = [
            # The order of additions moves the last digits.
            f"round({name}, 9)" if kind == "DOUBLE" else name
            for name, kind, *_ in columns
            if name not in OF_ONE_TRY and not kind.startswith("TIMESTAMP")
        ]
        rows = connection.execute(
            f"select md5(concat_ws('|', {', '.join(f'{one}::varchar' for one in kept)})), count(*)"
            f" from {schema}.{table} group by all"
        ).fetchall()
        found[table] = Counter(dict(rows))
    return found


def wrong_answers(store: Path, tokenizer: Tokenizer) -> list[str]:
    """Requests whose answer is not what the fake server says to their prompt."""
    query = """
        select requests.request_id, prompts.prompt_text, requests.continuations,
            generations.completion_text,
            (
                select list(log_likelihood order by continuation_index)
                from raw.log_likelihoods
                where log_likelihoods.request_id = requests.request_id
            )
        from raw.requests
        inner join raw.answers using (request_id)
        inner join raw.prompts using (prompt_id)
        left join raw.generations using (request_id)
        where requests.model_id = ?"""
    with closing(duckdb.connect(store, read_only=True)) as connection:
        rows = connection.execute(query, [MODEL]).fetchall()
    return [
        request_id
        for request_id, prompt, continuations, completion, found in rows
        if (
            completion != completion_of(prompt)
            if not continuations
            else found != [_weighed(prompt, one, tokenizer) for one in continuations]
        )
    ]


def _weighed(prompt: str, continuation: str, tokenizer: Tokenizer) -> float:
    return log_likelihood_of(prompt, tokenizer.encode(continuation, special_tokens=False).tolist())


def asked_twice(store: Path) -> list[str]:
    """Sessions that were given more answers than the store has of them: some were there before."""
    with closing(duckdb.connect(store, read_only=True)) as connection:
        return [
            f"{session_id} asked {count} again"
            for session_id, count in connection.execute(
                """
                select session_id, max(run_session_ends.answered_count) - count(answers.request_id)
                from raw.run_session_ends
                inner join raw.run_sessions using (session_id)
                left join raw.answers using (session_id)
                where run_sessions.model_id = ?
                group by session_id
                having max(run_session_ends.answered_count) > count(answers.request_id)""",
                [MODEL],
            ).fetchall()
        ]


def parquet_state(path: Path) -> State:
    """The rows of a Parquet file."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select md5(one::varchar), count(*) from read_parquet($path) as one group by all",
            {"path": str(path)},
        ).fetchall()
    return {path.name: Counter(dict(rows))}


def lines_state(folder: Path) -> State:
    """The lines of the files below a folder; of JSON, without the order of its keys."""
    return {
        path.name: Counter(
            hashlib.md5(_sorted(line).encode()).hexdigest()
            for line in path.read_text(encoding="utf-8").splitlines()
        )
        for path in sorted(folder.glob("*.json*"))
        if not path.name.startswith(".")
    }


def _sorted(line: str) -> str:
    try:
        return json.dumps(json.loads(line), sort_keys=True)
    except ValueError:
        return line


def differences(expected: State, found: State) -> tuple[list[str], list[str]]:
    """What is missing in `found`, and what is there beyond `expected`, by table."""
    lost, doubled = [], []
    for name in sorted(expected.keys() | found.keys()):
        wanted, there = expected.get(name, Counter()), found.get(name, Counter())
        if missing := (wanted - there).total():
            lost.append(f"{missing} of {wanted.total()} rows of {name}")
        if beyond := (there - wanted).total():
            doubled.append(f"{beyond} rows of {name}")
    return lost, doubled


VARIABLE = re.compile(r"[0-9a-f]{8,}|\d+")


def file_names(folder: Path, ignored: frozenset[str]) -> set[str]:
    """Files below a folder, without the digits by which two tries differ.

    A database's log is part of it, which the next writer folds in.
    """
    return {
        VARIABLE.sub("#", path.relative_to(folder).as_posix())
        for path in folder.rglob("*")
        if not path.is_dir()
        and not path.name.endswith(".duckdb.wal")
        and not ignored & set(path.relative_to(folder).parts)
    }
