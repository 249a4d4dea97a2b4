"""Files that look like shards, whatever is in them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.shard_files import shard_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from warehouse.shard_files import ShardFile


def write_as_shard(
    folder: Path,
    table: pa.Table,
    kind: str = "session",
    metadata: Mapping[bytes, str] | None = None,
) -> ShardFile:
    """A file of the name and digest of a shard, whatever is in it."""
    folder.mkdir(exist_ok=True)
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    content = sink.getvalue().to_pybytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    number = len(list(folder.glob("*.parquet")))
    (folder / f"written.{number:06d}.{kind}.{digest}.parquet").write_bytes(content)
    (file,) = (one for one in shard_files(folder) if (one.kind, one.digest) == (kind, digest))
    return file
