"""Door keeper: the process behind the door, which runs one statement and is then gone.

`warehouse.door` starts it. It limits itself, opens the databases for reading, locks what a
statement could change, and only then looks at the statement. What a statement can still do is to
take time and memory, for which the process is killed from outside.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import duckdb

from warehouse.connection import attach_raw_store, connect_read_only, warehouse_path
from warehouse.errors import QueryError, WarehouseError
from warehouse.landlock import forbid_writing
from warehouse.outside_text import visible
from warehouse.paths import raw_store_path
from warehouse.query import write_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from warehouse.door import Outcome, Request

PR_SET_PDEATHSIG = 1

OVERHEAD_BYTES = 2**30
"""Memory beside DuckDB's own: Python, libraries, the rows under way."""
THREAD_BYTES = 2**25
"""Of each thread, of which DuckDB and Arrow have one per core: its stack and what it keeps free."""

LOCKED = (
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set allow_community_extensions = false",
    "set allow_persistent_secrets = false",
    "set python_enable_replacements = false",
    "set python_scan_all_frames = false",
    "set enable_external_access = false",
    "set lock_configuration = true",
)
"""After these no statement can open a file, load an extension, see a variable of Python, or take
one of them back (https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview)."""

SETTING_FUNCTIONS = re.compile(r"enable_(?:logging|profiling)", re.IGNORECASE)
"""Functions that a select can call and that write files (DuckDB 1.5). What holds is not this but
`LOCKED`, and the kernel where it has Landlock: a name that a statement puts together gets past it.
Where it is written out, it says why the function is refused, more clearly than DuckDB does."""

POINTER_FUNCTIONS = re.compile(
    r'\b(arrow_scan(?:_dumb)?|pandas_scan|python_map_function)"?\s*\(', re.IGNORECASE
)
"""Functions of DuckDB's own that take an address in memory, and end the process at a wrong one. A
name that a statement puts together gets past this; the process that may end is the statement's own.
"""


def main() -> None:
    """Answer the request on standard input, into the descriptors named as arguments."""
    answer, outcome = (os.fdopen(int(argument), "wb") for argument in sys.argv[1:])
    request: Request = json.load(sys.stdin.buffer)
    said: Mapping[str, object]
    try:
        said = _answer(request, answer)
        answer.flush()
    except WarehouseError as error:
        said = {"error": type(error).__name__, "message": str(error)}
    except MemoryError:
        message = f"the query needs more than its memory limit of {request['memory']}"
        said = {"error": QueryError.__name__, "message": message}
    except OSError as error:
        # The reader has gone, or the disk of a Parquet file is full.
        message = f"{request['place']} cannot be written: {error.strerror or error}"
        said = {"error": QueryError.__name__, "message": message}
    outcome.write(json.dumps(said).encode())
    outcome.flush()
    # Not `return`: threads of DuckDB may be at work, and closing would wait for them.
    os._exit(0)


def _answer(request: Request, answer: IO[bytes]) -> Outcome:
    _limit_this_process(request["memory_bytes"], request["parent"])
    forbid_writing(but_in=Path(request["spill_folder"]))
    warehouse = Path(request["warehouse"] or warehouse_path())
    with connect_read_only(warehouse) as connection, _duckdb_errors(request):
        note = attach_raw_store(connection, Path(request["raw_store"] or raw_store_path()))
        _lock(connection, request)
        if found := SETTING_FUNCTIONS.search(request["statement"]):
            raise QueryError(f"{found[0].lower()} writes files, and is not run")
        if found := POINTER_FUNCTIONS.search(request["statement"]):
            raise QueryError(
                f"{found[1].lower()} takes an address in memory, which no query has, and is not"
                " run; name a table or view instead"
            )
        written = write_answer(
            connection, request["statement"], request["form"], request["row_limit"], answer
        )
    return {"row_count": written.row_count, "is_cut": written.is_cut, "note": note or ""}


def _limit_this_process(memory_bytes: int, parent: int) -> None:
    if sys.platform == "linux":
        # The process dies with the one that started it, however that ends.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    # Of what DuckDB does not count itself. Not RLIMIT_AS, which also counts what is only reserved.
    thread_bytes = (os.cpu_count() or 1) * THREAD_BYTES
    _lower(resource.RLIMIT_DATA, memory_bytes + thread_bytes + OVERHEAD_BYTES)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))


def _lock(connection: duckdb.DuckDBPyConnection, request: Request) -> None:
    for name, value in (
        ("memory_limit", f"{request['memory_bytes']}B"),
        ("temp_directory", request["spill_folder"]),
        ("max_temp_directory_size", f"{request['spill_bytes']}B"),
    ):
        connection.execute(f"set {name} = {_quoted(value)}")
    if request["thread_count"]:
        connection.execute(f"set threads = {request['thread_count']}")
    folders = [file for file in request["files"] if Path(file).is_dir()]
    paths = [file for file in request["files"] if not Path(file).is_dir()]
    connection.execute(f"set allowed_directories = {_list(folders)}")
    connection.execute(f"set allowed_paths = {_list(paths)}")
    for statement in LOCKED:
        connection.execute(statement)


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _duckdb_errors(request: Request) -> Iterator[None]:
    """What DuckDB says, in words of this door where they help more."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise QueryError(
            f"the query needs more than its limits of memory ({request['memory']}) and of files"
            f" for what does not fit ({request['spill']}): {_first_line(error)}"
        ) from error
    except duckdb.PermissionException as error:
        raise QueryError(
            f"{_first_line(error)}: a query reads the warehouse, and other files only if they are"
            " named with --allow-files"
        ) from error
    except duckdb.CatalogException as error:
        # DuckDB goes on to say how to install it.
        message = _first_line(error) if "extension" in str(error) else str(error)
        raise QueryError(message) from error
    except duckdb.InternalException as error:
        raise QueryError(_first_line(error)) from error
    except (duckdb.ParserException, duckdb.SyntaxException, duckdb.BinderException) as error:
        # On lines of their own stand the query and where in it the fault is.
        raise QueryError(str(error)) from error
    except duckdb.Error as error:
        # A value of a row may be in it, with lines of its own.
        raise QueryError(visible(str(error))) from error


def _first_line(error: Any) -> str:
    return str(error).partition("\n")[0]


if __name__ == "__main__":
    main()
