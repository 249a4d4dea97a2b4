"""Processes: commands that are started, disturbed and waited for, never longer than is said."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

MARK = "EVALWH_FAULT_TRIAL"
"""Variable by which the processes of a trial know each other, whoever is their parent."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, where it runs, and what is added to its environment."""

    line: tuple[str, ...]
    cwd: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return " ".join([Path(self.line[0]).name, *self.line[1:]])


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    """Its exit code; minus the signal for one that was killed."""
    text: str
    seconds: float
    is_blocked: bool = False
    """It did not end in time, and was killed by us."""

    @property
    def has_traceback(self) -> bool:
        """Whether it ended with what only a programmer can read."""
        return "Traceback (most recent call last)" in self.text or self.code in (
            -signal.SIGSEGV,
            -signal.SIGABRT,
        )

    @property
    def message(self) -> str:
        """What a user reads last."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("Error")]
        return (errors or lines or [""])[-1]


class Running:
    """A command under way, the leader of a session of its own."""

    def __init__(self, command: Command, *, user: int | None = None) -> None:
        # Open for as long as the command is, which is longer than this function.
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._started = time.monotonic()
        self.process = subprocess.Popen(
            command.line,
            cwd=command.cwd,
            env={**os.environ, **command.environment},
            # A file: an orphan that keeps a pipe open would keep us waiting.
            stdout=self._output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            user=user,
        )

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def kill(self) -> None:
        """SIGKILL for the command, not for its children: they have to notice."""
        with suppress(ProcessLookupError):
            self.process.kill()

    def end(self, seconds: float) -> Said:
        """What it said, when it ends; after `seconds` it is killed, and was blocked."""
        is_blocked = False
        try:
            self.process.wait(max(0.0, self._started + seconds - time.monotonic()))
        except subprocess.TimeoutExpired:
            is_blocked = True
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(30)
        took = time.monotonic() - self._started
        self._output.seek(0)
        text = self._output.read().decode(errors="replace")
        self._output.close()
        return Said(self.process.returncode, text, took, is_blocked)


def run(command: Command, seconds: float, *, user: int | None = None) -> Said:
    """The finished command, or what it said until it was killed after `seconds`."""
    return Running(command, user=user).end(seconds)


def marked_processes(mark: str) -> list[psutil.Process]:
    """The living processes of a trial, orphans of killed parents too."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_dead = process.status() == psutil.STATUS_ZOMBIE
            if not is_dead and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def orphans(mark: str, seconds: float) -> list[str]:
    """What is still alive of a trial after `seconds`; it is ended, by its process ids."""
    deadline = time.monotonic() + seconds
    while (left := marked_processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    names = []
    for process in left:
        with suppress(psutil.Error):
            names.append(f"{process.name()} {' '.join(process.cmdline()[:4])}"[:120])
            process.kill()
    return names
