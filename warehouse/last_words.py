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
import threading
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Words(NamedTuple):
    """What is to be said, and removed."""

    sentence: str
    leftover: Path | None


_all_words: list[_Words] = []
"""Those of now, the newest last."""

_lock = threading.Lock()


@contextmanager
def last_words(sentence: str, *, leftover: Path | None = None) -> Iterator[None]:
    """Should C++ end the process in the meantime: print the sentence, and exit with 1.

    The folder `leftover` is removed then, as far as it can be. Without this the process would be
    aborted, with words of C++ and, if the system is set so, an image of its memory on the disk.
    Where the C++ library is not found, it still is.
    """
    words = _Words(sentence, leftover)
    with _lock:
        _all_words.append(words)
        _prepare()
    try:
        yield
    finally:
        with _lock:
            _all_words.remove(words)


@cache
def _prepare() -> object:
    """Have C++ call `end` before it ends the process, from now on; what keeps that alive."""
    names = {"linux": "libstdc++.so.6", "darwin": "libc++abi.dylib"}
    try:
        set_terminate = ctypes.CDLL(names[sys.platform])["_ZSt13set_terminatePFvvE"]
    except (KeyError, OSError, AttributeError):
        return None
    set_terminate.argtypes = [ctypes.c_void_p]
    set_terminate.restype = ctypes.c_void_p

    def end() -> None:
        # What the process has printed is kept; nothing else can be relied on any more.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        if not _all_words:
            os.abort()
        sentence, leftover = _all_words[-1]
        if leftover is not None:
            shutil.rmtree(leftover, ignore_errors=True)
        with suppress(OSError):
            os.write(2, f"Error: {sentence}\n".encode())
        os._exit(1)

    kept = ctypes.CFUNCTYPE(None)(end)
    set_terminate(ctypes.cast(kept, ctypes.c_void_p))
    return kept
