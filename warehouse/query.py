"""Queries: one statement that reads, and its answer as text, Parquet or Arrow's stream.

This is behind `warehouse.door`, which keeps a statement from doing anything else.
"""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from textwrap import shorten
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import duckdb
from rich.cells import cell_len, set_cell_size

from warehouse.errors import QueryError
from warehouse.outside_text import visible, visible_json, visible_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from warehouse.door import Form

FETCH_COUNT = 1_000
"""Rows of text held in memory at a time."""
BATCH_COUNTS = {"parquet": 100_000, "arrow": 10_000}
"""And of the others; a batch of Parquet is a row group, which is good to read when it is large."""

COUNTED_ROW_COUNT = 1_000_000
"""Rows that a table counts beyond those that it shows."""

NEEDS_QUOTES = re.compile(r'[,"\r\n]')

QUOTED_LENGTH = 200
"""Characters of a statement that its errors repeat."""

MAXIMUM_CELL_WIDTH = 80
"""Terminal cells of a table's column; longer text, such as a prompt, ends in an ellipsis."""


class Written(NamedTuple):
    """What was written of an answer."""

    row_count: int
    is_cut: bool
    """Whether there were more rows than were asked for."""


def write_answer(
    connection: duckdb.DuckDBPyConnection,
    statement: str,
    form: Form,
    row_limit: int | None,
    file: IO[bytes],
) -> Written:
    """Write the rows of `statement`, at most `row_limit` of them, into a file.

    A table also says how many rows it left out, as far as it counts them.

    Raises:
        QueryError: `statement` is not one statement that reads, or its answer has no such form.
        duckdb.Error: DuckDB cannot execute it.
    """
    cursor = _executed(connection, statement)
    if form in BATCH_COUNTS:
        return _write_batches(cursor.to_arrow_reader(BATCH_COUNTS[form]), form, row_limit, file)
    names = [column[0] for column in cursor.description or ()]
    rows = _Rows(cursor, row_limit)
    lines = {"csv": _csv_lines, "json": _json_lines, "table": _table_lines}[form](names, rows)
    for block in iter(lambda: list(islice(lines, FETCH_COUNT)), []):
        file.write("".join(f"{line}\n" for line in block).encode())
        # Those who read along see the first rows at once.
        file.flush()
    return Written(rows.count, rows.is_cut)


class _Rows:
    """The rows of a cursor up to a limit."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, limit: int | None) -> None:
        self._cursor = cursor
        self._limit = limit
        self.count = 0
        """Rows given so far."""
        self.is_cut = False
        """Whether there was one more when the limit was reached."""
        self._left_out = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        while fetched := self._cursor.fetchmany(FETCH_COUNT):
            kept = fetched if self._limit is None else fetched[: self._limit - self.count]
            self.count += len(kept)
            yield from kept
            if len(kept) < len(fetched):
                self.is_cut = True
                self._left_out = len(fetched) - len(kept)
                return

    def count_left_out(self) -> int:
        """Rows beyond the limit; the counting ends a little above COUNTED_ROW_COUNT."""
        while self.is_cut and self._left_out <= COUNTED_ROW_COUNT:
            fetched = self._cursor.fetchmany(FETCH_COUNT)
            if not fetched:
                break
            self._left_out += len(fetched)
        return self._left_out


def _write_batches(
    reader: pa.RecordBatchReader, form: Form, row_limit: int | None, file: IO[bytes]
) -> Written:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = (
        pq.ParquetWriter(file, reader.schema, compression="zstd")
        if form == "parquet"
        else pa.ipc.new_stream(file, reader.schema)
    )
    count = 0
    with writer:
        for batch in _batches(reader):
            kept = batch if row_limit is None else batch.slice(0, row_limit - count)
            writer.write_batch(kept)
            count += kept.num_rows
            if kept.num_rows < batch.num_rows:
                return Written(count, is_cut=True)
    return Written(count, is_cut=False)


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches; what DuckDB says when it fails among them, Arrow raises as errors of its own."""
    import pyarrow as pa

    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            raise QueryError(str(error).partition("\n")[0]) from error
        yield batch


def _executed(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.DuckDBPyConnection:
    statements = connection.extract_statements(statement)
    quoted = repr(shorten(statement, QUOTED_LENGTH, placeholder=" ..."))
    if len(statements) != 1:
        raise QueryError(f"one statement is expected, not {len(statements)}: {quoted}")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError(
            f"only statements that read (select, from, describe, show, summarize) are run,"
            f" not {statements[0].type.name.lower()}: {quoted}"
        )
    return connection.execute(statements[0])


def _table_lines(names: Sequence[str], rows: _Rows) -> Iterator[str]:
    """Aligned columns, numbers to the right, for reading: six significant digits."""
    shown = list(rows)
    hidden_count = rows.count_left_out()
    cells = [list(map(visible, names)), *([_shortened(value) for value in row] for row in shown)]
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
    if hidden_count > COUNTED_ROW_COUNT:
        yield (
            f"({len(shown):,} of more than {COUNTED_ROW_COUNT:,} rows: --limit shows more,"
            " --format csv or json all)"
        )
    elif hidden_count:
        yield (
            f"({len(shown):,} of {len(shown) + hidden_count:,} rows; {hidden_count:,} not shown:"
            " --limit shows more, --format csv or json all)"
        )
    else:
        yield f"({len(shown):,} {'row' if len(shown) == 1 else 'rows'})"


def _csv_lines(names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """RFC 4180 without its carriage returns; null is an empty field, an empty text is `""`.

    A text that a spreadsheet would take for a formula is left as it is: with an apostrophe before
    it, the usual remedy, every other program would read another text, and -1 be no number.
    """
    for row in chain([names], rows):
        yield ",".join(_csv_field(value) for value in row)


def _csv_field(value: Any) -> str:
    if value is None:
        return ""
    kind = type(value)
    if kind is int or kind is float:
        return str(value)
    text = visible_lines(value if kind is str else _text(value))
    if text and not NEEDS_QUOTES.search(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _json_lines(names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """An array with one object, on a line of its own, per row."""
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise QueryError(f"json needs a name of its own for each column; repeated: {repeated}")
    previous: str | None = None
    yield "["
    for row in rows:
        if previous is not None:
            yield previous + ","
        values = dict(zip(names, map(_jsonable, row), strict=True))
        previous = visible_json(json.dumps(values, ensure_ascii=False, allow_nan=False))
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
    text = visible(f"{value:.6g}" if isinstance(value, float) else _text(value))
    if cell_len(text) <= MAXIMUM_CELL_WIDTH:
        return text
    return set_cell_size(text, MAXIMUM_CELL_WIDTH - 1).rstrip() + "…"
