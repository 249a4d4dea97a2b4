"""Files: a benchmark's files on this machine, found, verified and read as rows of JSON."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.ipc

from inference.errors import BenchmarkFileError
from inference.planning.sources import UNPINNED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from inference.planning.declarations import Benchmark
    from inference.planning.sources import FileFormat, Source


@dataclass(frozen=True, slots=True)
class BenchmarkFile:
    """One file of a benchmark, as it lies here."""

    role: str
    name: str
    """Subject or subtask; empty for the only file of its role."""
    path: Path
    format: FileFormat
    sha256: str
    departure: str = ""
    """How a stand-in differs from upstream; empty for upstream's own file."""


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of the file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_files(benchmark: Benchmark, cache: Path) -> list[BenchmarkFile]:
    """The benchmark's files below `cache`, in the order of the declaration, each verified.

    Raises:
        BenchmarkFileError: a file is missing, or its hash is not the declared one.
    """
    return [
        _cached(benchmark, source, name, sha256, cache)
        for source in benchmark.sources
        for name, sha256 in source.hashes.items()
    ]


def _cached(
    benchmark: Benchmark, source: Source, name: str, sha256: str, cache: Path
) -> BenchmarkFile:
    path = cache / source.path.format(name=name)
    stand_in = source.stand_in
    if path.is_file():
        found = verified(path, sha256)
        return BenchmarkFile(source.role, name, path, source.format, found)
    if stand_in is not None and (cache / stand_in.path).is_file():
        path = cache / stand_in.path
        found = verified(path, stand_in.sha256)
        return BenchmarkFile(source.role, name, path, stand_in.format, found, stand_in.departure)
    raise BenchmarkFileError(
        f"{benchmark.benchmark_id}: {path} is missing;"
        f" run `evalwh fetch {benchmark.benchmark_id}` first"
    )


def verified(path: Path, expected: str) -> str:
    """The file's sha256, which is the expected one or stands for an unpinned file.

    Raises:
        BenchmarkFileError: the hashes differ; both are named.
    """
    found = sha256_of(path)
    if expected not in (found, UNPINNED):
        raise BenchmarkFileError(
            f"{path} is not the declared file: its sha256 is {found}, expected {expected};"
            " delete it and run `evalwh fetch`"
        )
    return found


def demo_files(benchmark: Benchmark) -> list[BenchmarkFile]:
    """The demonstration files in the benchmark's own folder, which are part of this project.

    They have upstream's names and formats, but for binary formats, which are JSON Lines here;
    of many files there may be a few.

    Raises:
        BenchmarkFileError: a role has no file.
    """
    files = []
    for source in benchmark.sources:
        found = list(_demo_files(benchmark, source))
        if not found:
            raise BenchmarkFileError(
                f"{benchmark.folder / 'demo'} has no file for the role {source.role!r}"
            )
        files += found
    return files


def _demo_files(benchmark: Benchmark, source: Source) -> Iterator[BenchmarkFile]:
    for name in source.hashes:
        # The first folder of a path is the benchmark's in the cache; here it is its own.
        path = benchmark.folder / "demo" / source.path.format(name=name).partition("/")[2]
        forms: list[tuple[Path, FileFormat]] = [
            (path, source.format),
            (path.with_suffix(""), source.format),
            (path.with_suffix(".jsonl"), "json"),
            (path.with_suffix(".json"), "json"),
        ]
        for form, file_format in forms:
            if form.is_file():
                yield BenchmarkFile(source.role, name, form, file_format, sha256_of(form))
                break


def register(connection: duckdb.DuckDBPyConnection, files: list[BenchmarkFile]) -> None:
    """Make one table per role with the rows of its files.

    Its columns: `name` (subject or subtask), `position` (bigint, from 0, over all files in
    their order), `json` (one row of the file). Rows of csv, tsv and quoted_tsv are arrays of
    strings, of `lines` strings, of `text` the whole file as one string; a row of XML is a
    `question`.

    Raises:
        BenchmarkFileError: a file cannot be read in its declared format.
    """
    for role in dict.fromkeys(file.role for file in files):
        names: list[str] = []
        rows: list[str] = []
        for file in files:
            if file.role == role:
                texts = list(_json_rows(connection, file))
                names += [file.name] * len(texts)
                rows += texts
        columns = {"name": names, "position": list(range(len(rows))), "json": rows}
        types = {"name": pa.string(), "position": pa.int64(), "json": pa.string()}
        rows_of_role = pa.table(columns, schema=pa.schema(types))  # noqa: F841
        connection.execute(
            f'create or replace table "{role}" as'
            " select name, position, json::json as json from rows_of_role"
        )


def _json_rows(connection: duckdb.DuckDBPyConnection, file: BenchmarkFile) -> Iterator[str]:
    try:
        if file.format in ("json", "parquet", "arrow"):
            yield from _duckdb_rows(connection, file)
        else:
            yield from (json.dumps(row, ensure_ascii=False) for row in _text_rows(file))
    except (OSError, ValueError, pa.ArrowException, ElementTree.ParseError) as error:
        raise BenchmarkFileError(f"{file.path} is not {file.format}: {error}") from error


def _duckdb_rows(connection: duckdb.DuckDBPyConnection, file: BenchmarkFile) -> Iterator[str]:
    import duckdb

    arguments: dict[str, Any] = {"path": str(file.path)}
    if file.format == "json":
        # One row may be a whole file of nested articles.
        query = "from read_json_objects($path, maximum_object_size = 268435456)"
    elif file.format == "parquet":
        query = "select to_json(source) from read_parquet($path) as source"
    else:
        with pa.memory_map(str(file.path)) as data:
            source = pa.ipc.open_stream(data).read_all()  # noqa: F841
        query, arguments = "select to_json(source) from source", {}
    try:
        for (row,) in connection.execute(query, arguments).fetchall():
            yield row
    except duckdb.Error as error:
        raise BenchmarkFileError(f"{file.path} is not {file.format}: {error}") from error


def _text_rows(file: BenchmarkFile) -> Iterator[Any]:
    """Rows of the formats that are plainer to split here than to describe to a CSV reader."""
    opened = gzip.open if file.path.suffix == ".gz" else open
    # Some csv files begin with a byte order mark.
    encoding = "utf-8-sig" if file.format == "csv" else "utf-8"
    with opened(file.path, "rt", encoding=encoding) as text:
        if file.format == "csv":
            # Python's reader, as in the reference: DuckDB's refuses quotes within a field.
            yield from csv.reader(text)
        elif file.format == "text":
            yield text.read()
        elif file.format == "lines":
            yield from (line.rstrip() for line in text)
        elif file.format == "tsv":
            # Without quoting: fields are texts and JSON that hold quotation marks of their own.
            yield from (line.rstrip("\n").split("\t") for line in text)
        elif file.format == "quoted_tsv":
            yield from csv.reader(text, delimiter="\t")
        elif file.format == "xml":
            yield from _questions(ElementTree.fromstring(text.read().encode()))


def _questions(root: ElementTree.Element) -> Iterator[dict[str, Any]]:
    for question in root.iter("question"):
        yield {
            "id": question.get("id"),
            "text": (question.findtext("text") or "").strip(),
            "answers": [(answer.text or "").strip() for answer in question.iter("answer")],
        }
