"""Queries: one read-only statement over the warehouse, as text or as a Parquet file."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import duckdb
import pyarrow.parquet as pq
from rich.cells import cell_len, set_cell_size

from warehouse.errors import QueryError
from warehouse.whole_files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Format: TypeAlias = Literal["table", "csv", "json"]

FETCH_COUNT = 1_000
"""Rows held in memory at a time."""

MAXIMUM_CELL_WIDTH = 80
"""Terminal cells of a table's column; longer text, such as a prompt, ends in an ellipsis."""


def query_lines(
    connection: duckdb.DuckDBPyConnection, statement: str, output: Format, row_limit: int
) -> Iterator[str]:
    """Lines of text that hold the rows of `statement`.

    A table shows `row_limit` rows and says how many it left out; csv and json hold all rows.

    Raises:
        QueryError: `statement` is not one statement that reads, or DuckDB cannot execute it.
    """
    try:
        cursor = _executed(connection, statement)
        names = [column[0] for column in cursor.description or ()]
        rows = _rows(cursor)
        if output == "csv":
            yield from _csv_lines(names, rows)
        elif output == "json":
            yield from _json_lines(names, rows)
        else:
            yield from _table_lines(names, rows, row_limit)
    except duckdb.Error as error:
        raise QueryError(str(error)) from error


def write_parquet(connection: duckdb.DuckDBPyConnection, statement: str, path: Path) -> int:
    """Write all rows of `statement` into a Parquet file, and count them.

    The file appears when it is whole; one that was there is replaced.

    Raises:
        QueryError: as `query_lines`, or the file cannot be written.
    """
    count = 0
    try:
        reader = _executed(connection, statement).to_arrow_reader()
        with (
            whole_file(path) as written,
            pq.ParquetWriter(written, reader.schema, compression="zstd") as writer,
        ):
            for batch in reader:
                writer.write_batch(batch)
                count += batch.num_rows
    except duckdb.Error as error:
        raise QueryError(str(error)) from error
    except OSError as error:
        raise QueryError(f"{path} cannot be written: {error}") from error
    return count


def _executed(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.DuckDBPyConnection:
    statements = connection.extract_statements(statement)
    if len(statements) != 1:
        raise QueryError(f"one statement is expected, not {len(statements)}: {statement!r}")
    # The connection cannot write the warehouse, but `copy` could still write other files.
    if statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError(
            f"only statements that read (select, from, describe, show, summarize) are run,"
            f" not {statements[0].type.name.lower()}: {statement!r}"
        )
    return connection.execute(statements[0])


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while fetched := cursor.fetchmany(FETCH_COUNT):
        yield from fetched


def _table_lines(
    names: Sequence[str], rows: Iterator[tuple[Any, ...]], row_limit: int
) -> Iterator[str]:
    """Aligned columns, numbers to the right, for reading: six significant digits."""
    shown = list(islice(rows, row_limit))
    hidden_count = sum(1 for _ in rows)
    cells = [list(names), *([_shortened(value) for value in row] for row in shown)]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*cells, strict=True)]
    is_number = [
        all(isinstance(value, int | float | Decimal | None) for value in column)
        for column in zip(*shown, strict=True)
    ] or [False] * len(names)
    for i, row in enumerate(cells):
        padded = [
            " " * (width - cell_len(cell)) + cell if right else set_cell_size(cell, width)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        ]
        yield "  ".join(padded).rstrip()
        if i == 0:
            yield "  ".join("-" * width for width in widths)
    if hidden_count:
        yield (
            f"({len(shown):,} of {len(shown) + hidden_count:,} rows; {hidden_count:,} not shown:"
            " --limit shows more, --format csv or json all)"
        )
    else:
        yield f"({len(shown):,} {'row' if len(shown) == 1 else 'rows'})"


def _csv_lines(names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    """RFC 4180 without its carriage returns; null is an empty field, an empty text is `""`."""
    for row in chain([names], rows):
        yield ",".join(_csv_field(value) for value in row)


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    text = _text(value)
    if text and not any(character in text for character in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


def _json_lines(names: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    """An array with one object, on a line of its own, per row."""
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise QueryError(f"json needs a name of its own for each column; repeated: {repeated}")
    previous: str | None = None
    yield "["
    for row in rows:
        if previous is not None:
            yield previous + ","
        values = dict(zip(names, map(_jsonable, row), strict=True))
        previous = json.dumps(values, ensure_ascii=False, allow_nan=False)
    if previous is not None:
        yield previous
    yield "]"


def _jsonable(value: Any) -> Any:
    """`value` in the types of JSON; NaN and the infinities, which it has not, become text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return float(value)
        case list() | tuple():
            return [_jsonable(element) for element in value]
        case dict():
            return {str(key): _jsonable(element) for key, element in value.items()}
        case _:
            return _text(value)


def _text(value: Any) -> str:
    """`value` as text from which it can be read back, spelt as DuckDB spells it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case list() | tuple() | dict():
            return json.dumps(_jsonable(value), ensure_ascii=False)
        case bytes():
            return value.hex()
        case _:
            return str(value)


def _shortened(value: Any) -> str:
    """`value` as a table shows it: on one line and not wider than a column may be."""
    text = f"{value:.6g}" if isinstance(value, float) else _text(value)
    text = text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    if cell_len(text) <= MAXIMUM_CELL_WIDTH:
        return text
    return set_cell_size(text, MAXIMUM_CELL_WIDTH - 1).rstrip() + "…"
