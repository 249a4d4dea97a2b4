"""Whole files: a file that appears under its name only when all of it is on the disk."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which becomes `path` at the end.

    What was at `path` is replaced; after an error it is as it was, and nothing is left of the other
    name. A process that is killed may leave that: it begins with a dot and ends in `.tmp`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def publish(written: Path, path: Path) -> None:
    """Rename a file that is written to `path`; when this returns, it stays there, come what may."""
    _sync(written)
    written.replace(path)
    # The name is on the disk only when its folder is.
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
