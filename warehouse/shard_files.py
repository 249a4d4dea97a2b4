"""Shard files: what inference has written down, before it is in the raw store.

A shard is a Parquet file that appears under its name only when it is whole and on the disk. Its
name is `<session>.<number>.<kind>.<digest>.parquet`, with the first 16 hexadecimal digits of the
sha256 of its bytes.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.errors import ShardDamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator

ShardKind = Literal[
    "session",
    "session_end",
    "files",
    "items",
    "requests",
    "answers",
    "failures",
    "translations",
    "programs",
    "logged_scores",
]

_TEXTS = pa.list_(pa.string())
_TIME = pa.timestamp("us", tz="UTC")

SCHEMAS: dict[ShardKind, pa.Schema] = {
    "session": pa.schema(
        {
            "run_id": pa.string(),
            "session_id": pa.string(),
            "item_set": pa.string(),
            "protocol": pa.string(),
            "model_id": pa.string(),
            "model_revision": pa.string(),
            "tokenizer_id": pa.string(),
            "context_length": pa.int64(),
            "benchmark_ids": _TEXTS,
            "endpoints": _TEXTS,
            "engine": pa.string(),
            "engine_version": pa.string(),
            "server_arguments": pa.string(),
            "gpu_names": _TEXTS,
            "concurrency": pa.int32(),
            "batch_size": pa.int32(),
            "configuration": pa.string(),
            "code_commit": pa.string(),
            "python_version": pa.string(),
            "started_at": _TIME,
        }
    ),
    "session_end": pa.schema(
        {
            "session_id": pa.string(),
            "request_count": pa.int64(),
            "answered_count": pa.int64(),
            "failed_count": pa.int64(),
            "finished_at": _TIME,
        }
    ),
    "files": pa.schema(
        {
            "run_id": pa.string(),
            "benchmark_id": pa.string(),
            "role": pa.string(),
            "file_name": pa.string(),
            "sha256": pa.string(),
            "departure": pa.string(),
        }
    ),
    "items": pa.schema(
        {
            "item_hash": pa.string(),
            "item_set": pa.string(),
            "benchmark_id": pa.string(),
            "item_id": pa.string(),
            "item_index": pa.int64(),
            "subset": pa.string(),
            "cluster_id": pa.string(),
            "fields": pa.string(),
            "target": pa.string(),
            "golds": _TEXTS,
            "choices": _TEXTS,
            "gold_index": pa.int32(),
        }
    ),
    "requests": pa.schema(
        {
            "run_id": pa.string(),
            "benchmark_id": pa.string(),
            "protocol_version": pa.string(),
            "scorer": pa.string(),
            "item_hash": pa.string(),
            "sample_index": pa.int32(),
            "variant_index": pa.int32(),
            "purpose": pa.string(),
            "request_id": pa.string(),
            "target_token_ids": pa.list_(pa.int32()),
            "model_id": pa.string(),
            "model_revision": pa.string(),
            "tokenizer_id": pa.string(),
            "kind": pa.string(),
            "prompt_id": pa.string(),
            "prompt_text": pa.string(),
            "continuations": _TEXTS,
            "decoding": pa.string(),
            "prompt_token_count": pa.int64(),
            "dropped_token_count": pa.int64(),
        }
    ),
    "answers": pa.schema(
        {
            "request_id": pa.string(),
            "session_id": pa.string(),
            "endpoint": pa.string(),
            "input_token_count": pa.int64(),
            "output_token_count": pa.int64(),
            "cached_token_count": pa.int64(),
            "attempt_count": pa.int32(),
            "latency_seconds": pa.float64(),
            "answered_at": _TIME,
            # Null for a log-likelihood request.
            "completion_text": pa.string(),
            "stop_reason": pa.string(),
            "completion_token_ids": pa.list_(pa.int32()),
            # Null for a generation request; otherwise one element per continuation.
            "log_likelihoods": pa.list_(pa.float64()),
            "token_counts": pa.list_(pa.int32()),
            "is_single_token": pa.bool_(),
        }
    ),
    "failures": pa.schema(
        {
            "request_id": pa.string(),
            "session_id": pa.string(),
            "endpoint": pa.string(),
            "error": pa.string(),
            "attempt_count": pa.int32(),
            "failed_at": _TIME,
        }
    ),
    "translations": pa.schema(
        {
            "request_id": pa.string(),
            "item_hash": pa.string(),
            "measure_id": pa.string(),
            "measure_version": pa.int32(),
            # By length of the n-gram, 1 to 4.
            "match_counts": pa.list_(pa.int32()),
            "ngram_counts": pa.list_(pa.int32()),
            "candidate_length": pa.int32(),
            "reference_length": pa.int32(),
            "sentence_bleu": pa.float64(),
            "measured_at": _TIME,
        }
    ),
    "programs": pa.schema(
        {
            "request_id": pa.string(),
            "item_hash": pa.string(),
            "measure_id": pa.string(),
            "measure_version": pa.int32(),
            "outcome": pa.string(),
            "error_head": pa.string(),
            "wall_seconds": pa.float64(),
            "measured_at": _TIME,
        }
    ),
    "logged_scores": pa.schema(
        {
            "request_id": pa.string(),
            "item_hash": pa.string(),
            "metric": pa.string(),
            "is_main": pa.bool_(),
            "logged_score": pa.float64(),
            "answer_text": pa.string(),
        }
    ),
}
"""Columns of each kind of shard; the raw store's tables have the same ones."""


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A shard on the disk, by its name."""

    path: Path
    kind: ShardKind
    digest: str

    @property
    def name(self) -> str:
        """The file's name, by which the raw store remembers it."""
        return self.path.name


def shards_path() -> Path:
    """Folder of the shards: EVALWH_SHARDS, or data/shards below the working folder."""
    return Path(os.environ.get("EVALWH_SHARDS") or "data/shards")


def write_shard(
    folder: Path, session_id: str, number: int, kind: ShardKind, table: pa.Table
) -> ShardFile:
    """Write `table` as a shard; when this returns, it is on the disk and will stay there.

    Raises:
        ValueError: the table's columns are not those of its kind.
    """
    if table.schema != SCHEMAS[kind]:
        raise ValueError(f"a shard of {kind} has the columns {table.schema}, not {SCHEMAS[kind]}")
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=1)
    content = sink.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = folder / f"{session_id}.{number:06d}.{kind}.{digest}.parquet"
    temporary = folder / f".{path.name}.tmp"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # The name is on the disk only when its folder is.
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return ShardFile(path, kind, digest)


def shard_files(folder: Path) -> Iterator[ShardFile]:
    """Shards in `folder`, in the order in which they were written; other files are not shards."""
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("*.parquet")):
        parts = path.name.split(".")
        if len(parts) == 5 and parts[2] in get_args(ShardKind):
            yield ShardFile(path, parts[2], parts[3])  # type: ignore[arg-type]


def read_shard(shard: ShardFile) -> pa.Table:
    """The shard's table, after a look at every byte.

    Raises:
        ShardDamagedError: the bytes are not those that were written, or no shard of that kind.
    """
    content = shard.path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    if digest != shard.digest:
        raise ShardDamagedError(
            f"{shard.path} is damaged: its bytes have the digest {digest}, its name says"
            f" {shard.digest}"
        )
    try:
        table = pq.read_table(pa.BufferReader(content))
    except pa.ArrowException as error:
        raise ShardDamagedError(f"{shard.path} is no Parquet file: {error}") from error
    if table.schema != SCHEMAS[shard.kind]:
        raise ShardDamagedError(
            f"{shard.path} has the columns {table.schema.names}; {shard.kind} has"
            f" {SCHEMAS[shard.kind].names}"
        )
    return table
