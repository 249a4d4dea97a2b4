"""Door: the one way in for SQL that people write, from the command line, a page or a notebook.

    from warehouse.door import read
    read("select * from marts.dim_panels").to_pandas()

A statement can read the warehouse and the raw store. It cannot write, open other files, reach a
network, load an extension or see variables of Python, and it ends at its limits of time and memory,
whatever it is at: it runs in a process of its own (`warehouse.door_keeper`), which is killed.
DuckDB's own interruption is not enough for that: some of its functions do not look out for one.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, RawIOBase
from typing import IO, TYPE_CHECKING, Literal, TypeAlias, TypedDict

from warehouse import errors
from warehouse.errors import QueryError
from warehouse.whole_files import clean_up, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from _typeshed import WriteableBuffer

Form: TypeAlias = Literal["table", "csv", "json", "parquet", "arrow"]
"""How the rows are written: as lines of text, a Parquet file, or Arrow's stream of batches."""

PIECE_BYTES = 2**20
PAUSE_SECONDS = 0.1
"""A reader that takes longer over a piece, such as a pager, is waited for."""

KEPT_VARIABLES = (
    *("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ"),
    *("EVALWH_WAREHOUSE", "EVALWH_GENERATIONS"),
)
"""Of the environment, what the other process is given: no keys and no tokens."""

NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""At a NUL DuckDB takes a statement to end; halves of characters are bytes that are not UTF-8."""

SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kMGT]?)B", re.IGNORECASE)
SIZE_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a statement may take."""

    seconds: float = 60.0
    """Time, the reader's own pauses left out; 0 is as long as it takes."""
    memory: str = "4GB"
    spill: str = "10GB"
    """Space in the system's temporary folder, for what does not fit into memory."""
    thread_count: int | None = None
    """One for each core, unless given."""
    row_count: int | None = None
    """Rows of the answer; null is all of them."""


class Request(TypedDict):
    """What the other process is told."""

    statement: str
    form: Form
    row_limit: int | None
    memory: str
    memory_bytes: int
    spill: str
    spill_bytes: int
    spill_folder: str
    place: str
    thread_count: int | None
    files: list[str]
    """Files and folders that the statement may read."""
    warehouse: str | None
    raw_store: str | None
    parent: int


class Outcome(TypedDict):
    """What the other process says at the end."""

    row_count: int
    is_cut: bool
    """Whether there were more rows than were asked for."""
    note: str
    """Why the raw store could not be attached; empty if it was, and where there is none."""


def read(
    statement: str,
    limits: Limits | None = None,
    *,
    files: Sequence[Path] = (),
    warehouse: Path | None = None,
    raw_store: Path | None = None,
) -> pa.Table:
    """The rows of a statement that reads, as an Arrow table.

    The databases are those of the environment, unless given; `files` and folders may be read too.

    Raises:
        QueryError: it is not one statement that reads, DuckDB cannot execute it, or it has come to
            a limit, that of rows included.
        WarehouseError: the warehouse cannot be opened.
    """
    import pyarrow as pa

    limits = limits or Limits()
    with asked(
        statement, "arrow", limits, files=files, warehouse=warehouse, raw_store=raw_store
    ) as answer:
        try:
            stream = BufferedReader(_Stream(answer, limits), PIECE_BYTES)
            table = pa.ipc.open_stream(stream).read_all()
        except (pa.ArrowInvalid, OSError):
            # The stream is cut short; why, the outcome tells.
            answer.outcome()
            raise
        outcome = answer.outcome()
    if outcome["is_cut"]:
        raise QueryError(
            f"the answer has more than {table.num_rows:,} rows, its limit: aggregate in the"
            " statement, or raise Limits.row_count"
        )
    return table


def write_parquet(
    statement: str, path: Path, limits: Limits | None = None, *, files: Sequence[Path] = ()
) -> Outcome:
    """Write the rows of a statement that reads into a Parquet file, which appears when it is whole.

    A Parquet file that was there is replaced, and nothing else is; who may read it stays. Nothing
    is written among the shards, nor where a file has a shard's name.

    Raises:
        QueryError: as `read`; or there is something else at `path`, it is a place of shards, or it
            cannot be written.
        WarehouseError: the warehouse cannot be opened.
    """
    try:
        mode, place = _replaceable_mode(path), str(path)
        clean_up(path.parent)
        with whole_file(path) as written, written.open("xb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            with asked(
                statement, "parquet", limits, files=files, into=file.fileno(), place=place
            ) as answer:
                outcome = answer.outcome()
            # What may have come there in the meantime.
            _replaceable_mode(path)
    except OSError as error:
        raise QueryError(f"{path} cannot be written: {error.strerror or error}") from error
    return outcome


def _replaceable_mode(path: Path) -> int | None:
    """Who may read and write the Parquet file at `path`; null if there is nothing.

    Raises:
        QueryError: there is something else, or it is a place of shards.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from warehouse.shard_files import NAME, shards_path

    shards = os.path.realpath(shards_path())
    # The file takes the place of what stands there, also of a link, in the folder as it really is.
    place = os.path.realpath(path.parent)
    if NAME.fullmatch(path.name) or os.path.commonpath((shards, place)) == shards:
        raise QueryError(
            f"{path} is a place of shards ({shards_path()} or a shard's name), from which the raw"
            " store is made anew, and is left as it is; name another file"
        )
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise QueryError(f"{path} is no regular file and is left as it is; name another file")
    try:
        with path.open("rb") as file:
            pq.read_metadata(file)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise QueryError(
            f"{path} is no Parquet file and is left as it is; name another file"
        ) from error
    return stat.S_IMODE(mode)


@contextmanager
def asked(
    statement: str,
    form: Form,
    limits: Limits | None = None,
    *,
    files: Sequence[Path] = (),
    warehouse: Path | None = None,
    raw_store: Path | None = None,
    into: int | None = None,
    place: str = "the answer",
) -> Iterator[Answer]:
    """The answer to a statement, while it is being written; the process is gone at the end.

    With `into`, an open file's descriptor, the answer goes there and not through the caller; errors
    call it `place`. On Linux the process also ends with the thread that asked, which therefore has
    to read it all.

    Raises:
        QueryError: a limit is no size, or the statement is no text.
    """
    limits = limits or Limits()
    request = Request(
        statement=statement,
        form=form,
        row_limit=limits.row_count,
        memory=limits.memory,
        memory_bytes=_bytes(limits.memory),
        spill=limits.spill,
        spill_bytes=_bytes(limits.spill),
        spill_folder="",
        place=place,
        thread_count=limits.thread_count,
        files=[str(file.resolve()) for file in files],
        warehouse=None if warehouse is None else str(warehouse),
        raw_store=None if raw_store is None else str(raw_store),
        parent=os.getpid(),
    )
    if NO_TEXT.search(statement):
        raise QueryError("the statement is no text: it has bytes that are not UTF-8, or a NUL")
    with ExitStack() as until_closed:
        request["spill_folder"] = tempfile.mkdtemp(prefix="evalwh-sql-")
        until_closed.callback(shutil.rmtree, request["spill_folder"], ignore_errors=True)
        outcome, outcome_start = _pipe(until_closed)
        rows, rows_start = _pipe(until_closed) if into is None else (None, into)
        complaints = until_closed.enter_context(tempfile.TemporaryFile())
        told = until_closed.enter_context(tempfile.TemporaryFile())
        told.write(json.dumps(request).encode())
        told.seek(0)
        process = subprocess.Popen(
            # -P: a file of the working folder must not be taken for a library.
            [
                *(sys.executable, "-P", "-m", "warehouse.door_keeper"),
                *(str(rows_start), str(outcome_start)),
            ],
            stdin=told,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            pass_fds=(rows_start, outcome_start),
            # Ctrl-C reaches this process only, which ends the other.
            start_new_session=True,
        )
        until_closed.callback(process.wait)
        until_closed.callback(process.kill)
        os.close(outcome_start)
        if into is None:
            os.close(rows_start)
        yield Answer(process, limits, rows, outcome, complaints)


def _pipe(until_closed: ExitStack) -> tuple[int, int]:
    """The end to read from, which is closed at the end, and the start to write to."""
    end, start = os.pipe()
    until_closed.callback(os.close, end)
    return end, start


class Answer:
    """What a statement answers, as it comes."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        limits: Limits,
        rows: int | None,
        outcome: int,
        complaints: IO[bytes],
    ) -> None:
        self._process = process
        self._limits = limits
        self._rows = rows
        self._outcome = outcome
        self._complaints = complaints
        self._used_seconds = 0.0

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the rows.

        Raises:
            QueryError: at the time limit.
        """
        while self._rows is not None and (piece := self._read(self._rows)):
            began = time.monotonic()
            yield piece
            self._used_seconds += min(time.monotonic() - began, PAUSE_SECONDS)

    def outcome(self) -> Outcome:
        """How it ended, once all pieces are read.

        Raises:
            QueryError: the statement was refused, or failed, or has come to a limit.
            WarehouseError: the warehouse could not be opened.
        """
        said = b"".join(iter(partial(self._read, self._outcome), b""))
        if not said:
            raise QueryError(self._sudden_end())
        found = json.loads(said)
        if "error" in found:
            raise getattr(errors, found["error"])(found["message"])
        outcome: Outcome = found
        return outcome

    def _read(self, end: int) -> bytes:
        began = time.monotonic()
        poll = select.poll()
        poll.register(end, select.POLLIN)
        left = self._limits.seconds - self._used_seconds
        if not poll.poll(max(0, left * 1000) if self._limits.seconds else None):
            raise QueryError(
                f"the query was ended at its time limit of {self._limits.seconds:g} s; --timeout"
                " (in Python: Limits.seconds) gives it more, and 0 as much as it takes"
            )
        piece = os.read(end, PIECE_BYTES)
        self._used_seconds += time.monotonic() - began
        return piece

    def _sudden_end(self) -> str:
        code = self._process.wait()
        if code >= 0:
            self._complaints.seek(0)
            last = self._complaints.read().decode(errors="replace").strip().rpartition("\n")[2]
            return f"the query's process could not run it, and ended with code {code}: {last}"
        return (
            f"DuckDB ended suddenly ({signal.Signals(-code).name}) at this query, which needs more"
            f" than its memory limit of {self._limits.memory}, is nested too deeply, or meets a"
            " fault of DuckDB"
        )


class _Stream(RawIOBase):
    """The bytes of an answer as a file, which takes no more memory than the statement may."""

    def __init__(self, answer: Answer, limits: Limits) -> None:
        self._pieces = answer.pieces()
        self._piece = memoryview(b"")
        self._limits = limits
        self._left_bytes = _bytes(limits.memory)

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer as far as there is something, and count it."""
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
            self._left_bytes -= len(self._piece)
            if self._left_bytes < 0:
                raise QueryError(
                    f"the answer is larger than the memory limit of {self._limits.memory}:"
                    " aggregate in the statement, or raise Limits.memory"
                )
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._piece))
        target[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count


def _bytes(size: str) -> int:
    """The number of bytes of a size such as 4GB or 500 MB."""
    match = SIZE.fullmatch(size.strip())
    if match is None:
        raise QueryError(f"{size!r} is no size; sizes are such as 500MB and 4GB")
    return int(float(match[1]) * SIZE_UNITS[match[2].upper()])
