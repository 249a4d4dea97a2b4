"""Builds: how a new warehouse takes the old one's place, whole or not at all.

dbt writes a file of its own beside the warehouse, `<name>.building`, which begins as a copy of it
and takes its name by one rename when it is complete. Readers never see it, and never wait for it:
a file that they have open stays what it was. A third file, `<name>.build`, is locked by the build
at work and says of a build that was not published when it began and what became of it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from warehouse.errors import BuildError
from warehouse.storage import why_no_database
from warehouse.whole_files import publish

RECORD_SIZE = 4096
"""Bytes of the record, always: one write of one block, which no kill cuts in two."""

LOCK_PATIENCE_SECONDS = 1.0
"""A reader of the record holds its lock for an instant; a build for much longer."""

COPY_ATTEMPT_COUNT = 5


class BuildState(StrEnum):
    """What became of a build that was not published."""

    RUNNING = "running"
    """It is at work."""
    FAILED = "failed"
    """It ended, and was not complete."""
    KILLED = "killed"
    """It was stopped before it ended."""


@dataclass(frozen=True, slots=True)
class UnpublishedBuild:
    """The last build, if what it wrote is not the published warehouse."""

    state: BuildState
    command: str
    """The dbt command: build, run, seed, snapshot or test."""
    started_at: datetime
    """UTC, without a zone."""
    reason: str
    """Why it was not published; empty unless it failed."""


def building_path(path: Path) -> Path:
    """The file that a build of the warehouse at `path` writes.

    DuckDB names a catalog after what comes before the first dot: it stays the warehouse's.
    """
    return path.with_name(path.name + ".building")


def record_path(path: Path) -> Path:
    """The file that says what became of a build of the warehouse at `path`."""
    return path.with_name(path.name + ".build")


def unpublished_build(path: Path) -> UnpublishedBuild | None:
    """The last build of the warehouse at `path`, or null if it was published or there was none."""
    # Path.resolve raises an error where links go round.
    path = Path(os.path.realpath(path))
    try:
        descriptor = os.open(record_path(path), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        is_running = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            is_running = True
        record = _read(descriptor)
    finally:
        os.close(descriptor)
    if record is None:
        return None
    if is_running:
        state = BuildState.RUNNING
    elif record["reason"]:
        state = BuildState.FAILED
    elif path.with_name(record["building"]).exists():
        state = BuildState.KILLED
    else:
        # Killed between the rename and the word of it: what it wrote is published.
        return None
    return UnpublishedBuild(
        state, record["command"], datetime.fromisoformat(record["started_at"]), record["reason"]
    )


class Build:
    """A build at work: it alone writes, until it is published or given up."""

    def __init__(self, path: Path, command: str, *, is_retry: bool = False) -> None:
        """Begin to build the warehouse at `path`, from a copy of what is published there.

        Where nothing is, and for a retry, it goes on with what an earlier build has left that
        ended without being published; what a killed one has left is removed.

        Raises:
            BuildError: another build is at work, there is nothing to retry, the copy cannot be
                written, or what stands at `path` is no file. What is published is as it was.
        """
        if reason := why_no_database(path):
            raise BuildError(f"{reason}; move it away, or name another file in EVALWH_WAREHOUSE")
        self.path = path.resolve()
        # Named after `path`, and so its catalog too, which may be a link of another name.
        self.building = building_path(self.path.with_name(path.name))
        self._command = command
        self._started_at = datetime.now(UTC).replace(tzinfo=None)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path)
        except OSError as error:
            raise BuildError(f"{self.path} cannot be built: {error}") from error
        try:
            self._begin(is_retry=is_retry)
        except BaseException:
            os.close(self._lock)
            raise

    def _begin(self, *, is_retry: bool) -> None:
        previous = _read(self._lock)
        has_ended = previous is not None and bool(previous["reason"])
        is_kept = self.building.exists() and has_ended and (is_retry or not self.path.exists())
        if is_retry and not is_kept:
            raise BuildError(
                f"there is nothing to retry: no build of {self.path} has failed since the last"
                " complete one, or it was killed; run `dbt build`"
            )
        try:
            self._record("")
            if not is_kept:
                _remove(self.building)
                if self.path.exists():
                    _copy_unchanged(self.path, self.building)
        except OSError as error:
            # A disk that can only be read keeps it; the next build removes it.
            with suppress(OSError):
                _remove(self.building)
            self._note(f"{self.path} could not be copied: {error.strerror}")
            raise BuildError(
                f"{self.path} cannot be copied to {self.building}, where it is to be built anew:"
                f" {error}; the warehouse is as it was"
            ) from error

    def publish(self) -> None:
        """Give what was built the place of the warehouse; no connection may be open on it.

        Raises:
            BuildError: it cannot be done, and the warehouse is as it was.
        """
        try:
            if _log_of(self.building).exists():
                raise OSError(errno.EBUSY, "it is still open, or was not written to its end")
            # Only who opens the old file for writing leaves a log, which is none of the new one's.
            _log_of(self.path).unlink(missing_ok=True)
            publish(self.building, self.path)
        except OSError as error:
            reason = f"it could not take the place of the old one: {error.strerror}"
            self.give_up(reason)
            raise BuildError(
                f"{self.building} could not take the place of {self.path}: {error}"
            ) from error
        self._record(None)
        os.close(self._lock)

    def give_up(self, reason: str, *, is_kept: bool = True) -> None:
        """Leave the published warehouse as it is; `reason` is a clause that says why."""
        if not is_kept:
            with suppress(OSError):
                _remove(self.building)
        self._note(reason)
        os.close(self._lock)

    def _note(self, reason: str) -> None:
        # On a disk that takes no word more, the record stays that of a build that was stopped.
        with suppress(OSError):
            self._record(reason)

    def _record(self, reason: str | None) -> None:
        """Write the record; null of a build that is published, empty of one at work."""
        text = ""
        if reason is not None:
            text = json.dumps(
                {
                    "command": self._command,
                    "building": self.building.name,
                    "started_at": self._started_at.isoformat(),
                    "reason": reason[: RECORD_SIZE // 8],
                }
            )
        os.pwrite(self._lock, text.encode().ljust(RECORD_SIZE), 0)


def _locked(path: Path) -> int:
    """Descriptor of the record of `path`, locked until it is closed or this process ends."""
    descriptor = os.open(record_path(path), os.O_RDWR | os.O_CREAT, 0o666)
    deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            os.close(descriptor)
            raise BuildError(
                f"another dbt is building {path} now; wait for it to end and try again"
            ) from None
        return descriptor


def _read(descriptor: int) -> dict[str, str] | None:
    text = os.pread(descriptor, RECORD_SIZE, 0).strip()
    if not text:
        return None
    record: dict[str, str] = json.loads(text)
    return record


def _log_of(path: Path) -> Path:
    """Where DuckDB keeps what it has not yet written into the file at `path`."""
    return path.with_name(path.name + ".wal")


def _remove(building: Path) -> None:
    """Remove a building file, with what DuckDB keeps beside it."""
    building.unlink(missing_ok=True)
    _log_of(building).unlink(missing_ok=True)
    shutil.rmtree(building.with_name(building.name + ".tmp"), ignore_errors=True)


def _copy_unchanged(source: Path, target: Path) -> None:
    """Copy a DuckDB file, with its log if it has one, as of a moment when nobody wrote it.

    Builds never write it, but somebody may have opened it for writing; to have it open is no harm.
    """
    for _ in range(COPY_ATTEMPT_COUNT):
        before = _states(source)
        _remove(target)
        _copy(source, target)
        if before[1] is not None:
            _copy(_log_of(source), _log_of(target))
        if _states(source) == before:
            shutil.copymode(source, target)
            return
    raise OSError(errno.EBUSY, "another process is writing it", str(source))


def _states(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """Time and size of a file and of its log, null for what is not there."""
    return tuple(
        (file.stat().st_mtime_ns, file.stat().st_size) if file.exists() else None
        for file in (path, _log_of(path))
    )


def _copy(source: Path, target: Path) -> None:
    """Copy a file; where the file system can, both names share their blocks until one is written.

    Btrfs and XFS can, in an instant; elsewhere all bytes are copied, by the kernel.
    """
    if sys.platform == "linux":
        try:
            with source.open("rb") as original, target.open("wb") as copy:
                while os.copy_file_range(original.fileno(), copy.fileno(), 1 << 30):
                    pass
            return
        except OSError as error:
            # What a file system says that has no such call; anything else is a fault.
            if error.errno not in {errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}:
                raise
    shutil.copyfile(source, target)
