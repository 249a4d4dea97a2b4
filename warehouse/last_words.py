"""Last words: a sentence where DuckDB ends the process, which no Python code can catch.

When a disk fails while DuckDB takes a failed commit back, it throws an error where C++ allows none
(DuckDB 1.5: `SingleFileStorageCommitState::RevertCommit`), and C++ ends the process by
`std::terminate`. Which function that calls can be set.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Handler = ctypes.CFUNCTYPE(None)


@contextmanager
def last_words(sentence: str, *, leftover: Path | None = None) -> Iterator[None]:
    """Should C++ end the process in the meantime: print the sentence, and exit with 1.

    The folder `leftover` is removed then, as far as it can be.

    Without it the process would be aborted, with words of C++ and, if the system is set so, an
    image of its memory on the disk. Where the C++ library is not found, it still is.
    """
    library = _library()
    if library is None:
        yield
        return

    def end() -> None:
        # What the process has printed is kept; nothing else can be relied on any more.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        if leftover is not None:
            shutil.rmtree(leftover, ignore_errors=True)
        with suppress(OSError):
            os.write(2, f"Error: {sentence}\n".encode())
        os._exit(1)

    handler = _Handler(end)
    before = library(ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        library(before)


def _library() -> ctypes._NamedFuncPointer | None:
    """`std::set_terminate` of the C++ library that DuckDB has loaded; null if there is none."""
    names = {"linux": "libstdc++.so.6", "darwin": "libc++abi.dylib"}
    try:
        function = ctypes.CDLL(names[sys.platform])["_ZSt13set_terminatePFvvE"]
    except (KeyError, OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_void_p]
    function.restype = ctypes.c_void_p
    return function
