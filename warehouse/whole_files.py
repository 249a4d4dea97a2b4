"""Whole files: a file that appears under its name only when all of it is on the disk."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from warehouse.errors import DiskError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REMEDIES = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room within the quota",
    errno.EFBIG: "use a disk that takes files of that size",
    errno.EROFS: "make that file system writable",
    errno.EACCES: "allow this user to read and write there",
    errno.EPERM: "allow this user to read and write there",
    errno.EIO: "look at the disk, which is failing",
    errno.ENOENT: "make the folder",
    errno.ENOTDIR: "name a folder that is one",
    errno.EISDIR: "move the folder of that name away",
    errno.ELOOP: "mend the link",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ESTALE: "mount that file system again",
    errno.EMFILE: "close other files, or raise the limit of open ones",
}
"""What to do about what a disk says."""

ABANDONED_SECONDS = 86_400.0
"""After so long without a change, what another machine left half-written is nobody's."""

_UNFINISHED = re.compile(r"\..+\.(?P<machine>[0-9a-f]{6})-(?P<process>\d+)-[0-9a-f]{8}\.tmp")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which becomes `path` at the end.

    What was at `path` is replaced; after an error it is as it was, and nothing is left of the other
    name. A process that is killed may leave that: it begins with a dot and ends in `.tmp`, and
    `clean_up` takes it away.

    Raises:
        DiskError: the disk is full, may not be written, or fails.
    """
    temporary = _beside(path)
    try:
        yield temporary
        publish(temporary, path)
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        raise disk_error(path, error, "whatever was there before is as it was") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to write whole files into, which becomes `path` with all of them at the end.

    A folder that is at `path` already stays as it is. After an error nothing is left.

    Raises:
        DiskError: the disk is full, may not be written, or fails.
    """
    try:
        with folder_beside(path) as temporary:
            yield temporary
            if not path.exists():
                publish(temporary, path)
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        raise disk_error(path, error, "nothing of it was kept") from error


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A folder beside `path`, which is gone at the end, or taken away by `clean_up` after a kill.

    Raises:
        OSError: it cannot be made.
    """
    temporary = _beside(path)
    try:
        temporary.mkdir(parents=True)
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish_new(written: Path, path: Path) -> None:
    """Give a file that is written the second name `path`, as `publish`; none is ever replaced.

    Raises:
        FileExistsError: there is something at `path`, which another process has put there.
        OSError: the disk fails, or its file system gives no file two names.
    """
    _sync(written)
    # A rename would replace what came there in the meantime.
    os.link(written, path)
    _sync(path.parent)


def publish(written: Path, path: Path) -> None:
    """Rename a file that is written to `path`; when this returns, it stays there, come what may."""
    _sync(written)
    written.replace(path)
    # The name is on the disk only when its folder is.
    _sync(path.parent)


def disk_error(path: Path, error: OSError, kept: str) -> DiskError:
    """What `error` means for `path`, what was kept, and what to do, in one sentence."""
    remedy = REMEDIES.get(error.errno or 0, "look at it")
    return DiskError(
        f"{path} cannot be read or written ({error.strerror or error}): {kept};"
        f" {remedy}, and run the same command again"
    )


def clean_up(folder: Path) -> list[Path]:
    """Take away what processes that were killed left half-written in `folder`; what was taken.

    What a living process of this machine is writing stays, and what another machine has touched
    within a day.
    """
    taken: list[Path] = []
    with suppress(OSError):
        for path in folder.glob(".*.tmp"):
            if (named := _UNFINISHED.fullmatch(path.name)) and _is_abandoned(path, named):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
                taken.append(path)
    return taken


def _beside(path: Path) -> Path:
    """A name in the same folder that says who writes it."""
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _is_abandoned(path: Path, named: re.Match[str]) -> bool:
    if named["machine"] == _machine():
        return not _is_alive(int(named["process"]))
    return time.time() - path.stat().st_mtime > ABANDONED_SECONDS


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@cache
def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
