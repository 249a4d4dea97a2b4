"""Shard files: what inference has written down, before it is in the raw store.

A shard is a Parquet file that appears under its name only when it is whole and on the disk. Its
name is `<session>.<number>.<kind>.<digest>.parquet`, with the first 16 hexadecimal digits of the
sha256 of its bytes. Its metadata says the version of the records that it was written in; a shard
that does not say it is of version 1.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.errors import ShardDamagedError, ShardNewerError, ShardUnreadableError
from warehouse.records import (
    VERSION,
    AnsweredRequest,
    Failure,
    Item,
    LoggedScore,
    PlannedRequest,
    ProgramOutcome,
    RunFile,
    RunSession,
    RunSessionEnd,
    TranslationStatistics,
    arrow_schema,
    columns,
)
from warehouse.whole_files import whole_file

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

SHARDS: dict[ShardKind, type] = {
    "session": RunSession,
    "session_end": RunSessionEnd,
    "files": RunFile,
    "items": Item,
    "requests": PlannedRequest,
    "answers": AnsweredRequest,
    "failures": Failure,
    "translations": TranslationStatistics,
    "programs": ProgramOutcome,
    "logged_scores": LoggedScore,
}
"""The rows of each kind of shard."""

SCHEMAS = {kind: arrow_schema(row) for kind, row in SHARDS.items()}
"""The columns of each kind of shard, as they are written."""

VERSION_KEY = b"evalwh.version"
"""Where the Parquet file says in which version of the records it was written."""


SET = ".set"
"""What the name of a folder ends in whose shards are brought in together."""

NAME = re.compile(
    r"(?P<session>[^.]+)\.(?P<number>\d{6,})\.(?P<kind>\w+)\.(?P<digest>[0-9a-f]{16})\.parquet"
)
"""Session, number, kind and digest."""


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A shard on the disk, by its name."""

    path: Path
    kind: str
    """What it holds: a `ShardKind`, but for shards that a later version has written."""
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
        DiskError: the disk is full, may not be written, or fails.
    """
    if table.schema != SCHEMAS[kind]:
        raise ValueError(f"a shard of {kind} has the columns {table.schema}, not {SCHEMAS[kind]}")
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata({VERSION_KEY: str(VERSION)}),
        sink,
        compression="zstd",
        compression_level=1,
    )
    content = sink.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = folder / f"{session_id}.{number:06d}.{kind}.{digest}.parquet"
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
    return ShardFile(path, kind, digest)


def shard_files(folder: Path) -> Iterator[ShardFile]:
    """Shards in `folder`, in the order in which they were written; other files are not shards."""
    if not folder.is_dir():
        return
    for path in sorted(folder.glob("*.parquet")):
        if named := NAME.fullmatch(path.name):
            yield ShardFile(path, named["kind"], named["digest"])


def shard_sets(folder: Path) -> list[Path]:
    """Subfolders of shards that are brought into the raw store together, or none of them."""
    return sorted(path for path in folder.glob(f"*{SET}") if path.is_dir())


class Shard(NamedTuple):
    """What a shard holds, in the columns of this version."""

    kind: ShardKind
    version: int
    """Version of the records that it was written in."""
    table: pa.Table


def read_shard(file: ShardFile) -> Shard:
    """The shard, after a look at every byte; what came after its version has its declared value.

    Raises:
        ShardDamagedError: the bytes are not those that were written, or no shard of that kind.
        ShardNewerError: a later version of this project has written it.
        ShardUnreadableError: its bytes cannot be had, for now at least.
        FileNotFoundError: it is not there (any more).
    """
    content = _bytes(file.path)
    digest = hashlib.sha256(content).hexdigest()[:16]
    if digest != file.digest:
        raise ShardDamagedError(
            f"{file.path} is damaged: its bytes have the digest {digest}, its name says"
            f" {file.digest}"
        )
    try:
        table = pq.read_table(pa.BufferReader(content))
    except pa.ArrowException as error:
        raise ShardDamagedError(f"{file.path} is no Parquet file: {error}") from error
    version = _version(file, table.schema)
    if file.kind not in SHARDS:
        raise ShardDamagedError(f"{file.path} names no kind of shard; there are {list(SHARDS)}")
    kind = cast("ShardKind", file.kind)
    return Shard(kind, version, _brought_up(file, kind, version, table))


def _bytes(path: Path) -> bytes:
    try:
        # Whoever opens a pipe waits for somebody to write into it.
        if path.is_fifo():
            raise OSError(errno.EINVAL, "it is a pipe")
        return path.read_bytes()
    except OSError as error:
        # A link to nowhere is there, though what it names is not.
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            raise
        raise ShardUnreadableError(
            f"{path} is named like a shard and cannot be read ({error.strerror}); it stays where it"
            " is: make it readable, or move it away"
        ) from error


def _version(file: ShardFile, found: pa.Schema) -> int:
    said: bytes = (found.metadata or {}).get(VERSION_KEY, b"1")
    if not said.isdigit() or int(said) < 1:
        raise ShardDamagedError(f"{file.path} says that it is of version {said!r}")
    if int(said) > VERSION:
        raise ShardNewerError(
            f"{file.path} was written by a newer evalwh: it is of version {int(said)}, and this one"
            f" reads up to {VERSION}. It stays where it is; update evalwh and run"
            " `evalwh load` again"
        )
    return int(said)


def _brought_up(file: ShardFile, kind: ShardKind, version: int, table: pa.Table) -> pa.Table:
    """The table with the columns of this version; what it lacks is null where it may be."""
    declared = columns(SHARDS[kind])
    found = {one.name: one.type for one in table.schema}
    unknown = sorted(found.keys() - {one.name for one in declared})
    if unknown:
        # Whatever it says of its version: nobody but a later or another evalwh has these, and what
        # has been paid for is not set aside for knowing more.
        raise ShardNewerError(
            f"{file.path} has columns that this evalwh does not know: {', '.join(unknown)}. It"
            " stays where it is; update evalwh and run `evalwh load` again"
        )
    differing = [
        f"{one.name} is {found.get(one.name, 'missing')}, not {one.arrow_type}"
        for one in declared
        if found.get(one.name, one.arrow_type) != one.arrow_type
        or (one.name not in found and not one.is_nullable and one.since.version <= version)
    ]
    if differing:
        raise ShardDamagedError(
            f"{file.path} has other columns than {kind} of version {version}:"
            f" {', '.join(differing)}"
        )
    arrays = [
        table[one.name]
        if one.name in found
        else pa.repeat(pa.scalar(one.since.earlier, one.arrow_type), table.num_rows)
        for one in declared
    ]
    return pa.table(arrays, schema=SCHEMAS[kind])
