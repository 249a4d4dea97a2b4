"""Loading: shards of inference into the raw store, each wholly and once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from warehouse.errors import ShardDamagedError
from warehouse.raw_store import open_raw_store
from warehouse.shard_files import read_shard, shard_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from warehouse.shard_files import ShardFile, ShardKind

LOADED = "loaded"
"""Subfolder of shards that are in the raw store."""

DAMAGED = "damaged"
"""Subfolder of shards that could not be read, set aside for a person to look at."""

STATEMENTS: dict[ShardKind, tuple[str, ...]] = {
    "session": (
        """
        insert into raw.run_sessions by name
        select * from shard
        anti join raw.run_sessions using (session_id)""",
    ),
    "session_end": ("insert into raw.run_session_ends by name select * from shard",),
    "files": (
        """
        insert into raw.run_files by name
        select * from shard
        except select * from raw.run_files""",
    ),
    "items": (
        """
        insert into raw.items by name
        select distinct on (item_hash) * from shard
        anti join raw.items using (item_hash)""",
    ),
    "requests": (
        """
        insert into raw.prompts by name
        select distinct on (prompt_id) prompt_id, prompt_text from shard
        anti join raw.prompts using (prompt_id)""",
        """
        insert into raw.requests by name
        select distinct on (request_id)
            request_id, model_id, model_revision, tokenizer_id, kind, prompt_id, continuations,
            decoding, sample_index, prompt_token_count, dropped_token_count
        from shard
        anti join raw.requests using (request_id)""",
        """
        insert into raw.run_requests by name
        select distinct on (
                run_id, protocol_version, item_hash, sample_index, variant_index, purpose,
                request_id
            )
            run_id, benchmark_id, protocol_version, scorer, item_hash, sample_index,
            variant_index, purpose, request_id, target_token_ids
        from shard
        anti join raw.run_requests
            using (
                run_id, protocol_version, item_hash, sample_index, variant_index, purpose,
                request_id
            )""",
    ),
    # The first answer of a request stays; it cannot be asked again, and is not replaced.
    "answers": (
        """
        create or replace temp table fresh as
        select distinct on (request_id) * from shard
        anti join raw.answers using (request_id)""",
        """
        insert into raw.generations by name
        select request_id, completion_text, stop_reason, completion_token_ids from fresh
        where completion_text is not null""",
        """
        insert into raw.log_likelihoods by name
        select
            request_id,
            unnest(range(len(log_likelihoods)))::integer as continuation_index,
            unnest(log_likelihoods) as log_likelihood,
            unnest(token_counts) as token_count,
            is_single_token
        from fresh
        where log_likelihoods is not null""",
        """
        insert into raw.answers by name
        select
            request_id, session_id, endpoint, input_token_count, output_token_count,
            cached_token_count, attempt_count, latency_seconds, answered_at
        from fresh""",
    ),
    "failures": (
        """
        insert into raw.failures by name
        select * from shard
        anti join raw.failures using (request_id, session_id)""",
    ),
    "translations": (
        """
        insert into raw.translation_statistics by name
        select distinct on (request_id, item_hash, measure_id, measure_version) * from shard
        anti join raw.translation_statistics
            using (request_id, item_hash, measure_id, measure_version)""",
    ),
    # An outcome that says nothing of the program gives way to one that does.
    "programs": (
        """
        delete from raw.program_outcomes
        using shard
        where program_outcomes.outcome = 'sandbox_error'
            and program_outcomes.request_id = shard.request_id
            and program_outcomes.item_hash = shard.item_hash
            and program_outcomes.measure_id = shard.measure_id
            and program_outcomes.measure_version = shard.measure_version""",
        """
        insert into raw.program_outcomes by name
        select distinct on (request_id, item_hash, measure_id, measure_version) * from shard
        anti join raw.program_outcomes
            using (request_id, item_hash, measure_id, measure_version)""",
    ),
    "logged_scores": (
        """
        insert into raw.logged_scores by name
        select distinct on (request_id, item_hash, metric) * from shard
        anti join raw.logged_scores using (request_id, item_hash, metric)""",
    ),
}
"""What a shard adds to the raw store, by its kind; `shard` is its table."""


@dataclass(slots=True)
class LoadReport:
    """What one call of `load` did."""

    shard_count: int = 0
    row_count: int = 0
    damaged: list[str] = field(default_factory=list)
    """Messages about shards that were set aside."""


def load(
    folder: Path,
    store: Path,
    *,
    keep_files: bool = False,
    patience_seconds: float = 60.0,
    on_shard: Callable[[ShardFile], None] | None = None,
) -> LoadReport:
    """Bring the shards in `folder` into the raw store at `store`, a transaction each.

    A shard that is in is moved to the subfolder `loaded` (but with `keep_files`, which is for
    folders that are part of the project). Killed at any moment, or run twice at once, the next
    call goes on: the store remembers the shards that it holds. A shard whose bytes are not those
    that were written is moved to the subfolder `damaged` and named in the report.

    Raises:
        RawStoreBusyError: another process has held the raw store for `patience_seconds`.
        RawStoreUnreadableError: the raw store is no DuckDB database.
    """
    report = LoadReport()
    if not any(True for _ in shard_files(folder)):
        return report
    with open_raw_store(store, patience_seconds=patience_seconds) as connection:
        # Every commit is on the disk, in the log. Folding the log into the file once, at the
        # end, takes half the time of doing it every 16 MB.
        connection.execute("set wal_autocheckpoint = '1GB'")
        known = {
            name
            for (name,) in connection.execute("select shard_name from raw.loaded_shards").fetchall()
        }
        for shard in shard_files(folder):
            if shard.name not in known:
                try:
                    table = read_shard(shard)
                except FileNotFoundError:
                    # Another process has loaded and moved it meanwhile.
                    continue
                except ShardDamagedError as error:
                    report.damaged.append(_set_aside(shard, error, keep_files=keep_files))
                    continue
                _insert(connection, shard, table)
                report.shard_count += 1
                report.row_count += table.num_rows
            if not keep_files:
                _move(shard, LOADED)
            if on_shard is not None:
                on_shard(shard)
    return report


def _insert(connection: duckdb.DuckDBPyConnection, shard: ShardFile, table: pa.Table) -> None:
    connection.begin()
    try:
        connection.register("shard", table)
        for statement in STATEMENTS[shard.kind]:
            connection.execute(statement)
        connection.execute(
            "insert into raw.loaded_shards values (?, ?, ?, ?)",
            [shard.name, shard.kind, table.num_rows, datetime.now(UTC)],
        )
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.unregister("shard")


def _set_aside(shard: ShardFile, error: ShardDamagedError, *, keep_files: bool) -> str:
    if keep_files:
        return str(error)
    _move(shard, DAMAGED)
    return f"{error}; it was set aside in {shard.path.parent / DAMAGED}"


def _move(shard: ShardFile, subfolder: str) -> None:
    target = shard.path.parent / subfolder
    target.mkdir(exist_ok=True)
    # Another process may have moved it already.
    if shard.path.exists():
        shard.path.replace(target / shard.name)
