"""Worker: the first process inside a sandbox, which makes those of one program after another.

It never reads a program: the judge that it makes does, from the worker's own standard input. So
it imports nothing but the standard library, has nothing that a program wants, and is seen by none.

Settings, requests and replies are lines of JSON on its standard input and output.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import time
from pathlib import Path
from typing import Any

from inference.measuring.inside import namespaces
from inference.measuring.inside.endings import OUTCOMES, ending
from inference.measuring.inside.judge import judge
from inference.measuring.inside.messages import ERROR_CHARACTERS

# Programs import these; a child that is forked has them already.
PRELOADED = (
    *("bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "hashlib"),
    *("heapq", "itertools", "math", "operator", "random", "re", "statistics", "string", "typing"),
)

SECONDS_BETWEEN_LOOKS = 0.02
"""After so long the memory of a program's processes is added up again."""

LINE_BYTES = 1 << 16
"""Of a report. The longest text takes six bytes a character."""


class ReportError(Exception):
    """A judge said what it never says."""


def main() -> None:
    """Serve programs until standard input ends.

    Raises:
        SystemExit: this is no sandbox: here it would end what is not its own.
    """
    _refuse_outside_a_sandbox()
    namespaces.be_readable(False)
    namespaces.forget_keys()
    # For the first process of a namespace, what is not handled does not exist.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in PRELOADED:
        __import__(name)
    requests, replies = os.dup(0), os.dup(1)
    settings = json.loads(_first_line(requests))
    nowhere = os.open("/dev/null", os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    # What exists now is never looked at again by a child's collector, which keeps it shared.
    gc.freeze()
    number = 0
    is_ready = False
    while True:
        reply = _run_next(settings, requests, replies, number, is_ready=is_ready)
        is_ready = True
        number += 1
        if reply is None:
            return
        _reply(replies, reply)
        if reply["outcome"] == "broken":
            return


def _refuse_outside_a_sandbox() -> None:
    is_first = os.getpid() == 1
    # Nobody's /tmp: the sandbox's is its only folder that can be written to, and is new.
    has_more = any(namespaces.SCRATCH.iterdir()) or any(
        Path(folder).exists() for folder in ("/home", "/etc", "/root")
    )
    if not is_first or has_more:
        raise SystemExit("this runs as the first process of a sandbox, and nowhere else")


def _first_line(requests: int) -> bytes:
    content = b""
    while not content.endswith(b"\n"):
        # Byte by byte, so that nothing is taken of what follows.
        piece = os.read(requests, 1)
        if not piece:
            raise SystemExit("no settings came")
        content += piece
    return content


def _reply(replies: int, reply: dict[str, Any]) -> None:
    content = memoryview(json.dumps(reply).encode() + b"\n")
    while content:
        content = content[os.write(replies, content) :]


def _run_next(
    settings: dict[str, Any], requests: int, replies: int, number: int, *, is_ready: bool
) -> dict[str, Any] | None:
    """What becomes of the next program, of which nothing is left after; null if there is none."""
    try:
        child, reports = _judge(settings, requests, replies, number)
    except OSError as error:
        return {"outcome": "broken", "error_head": str(error), "wall_seconds": 0.0}
    try:
        said = _Reports(reports)
        first = _state(said)
        if first.get("state") != "idle":
            why = first.get("error_head", "the judge ended before it was ready")
            return {"outcome": "broken", "error_head": str(why), "wall_seconds": 0.0}
        if not is_ready:
            _reply(replies, {"outcome": "ready"})
        second = _state(said)
        if second.get("state") == "over":
            return None
        if second.get("state") != "started":
            why = "the judge ended before it had read the program"
            return {"outcome": "broken", "error_head": why, "wall_seconds": 0.0}
        started = time.monotonic()
        verdict = _watched(settings, said, child, started)
        seconds = time.monotonic() - started
    finally:
        os.close(reports)
        status, usage = _end(child)
    if verdict is None:
        verdict = ending(status, usage, settings["resources"]["RLIMIT_CPU"])
    return {**verdict, "wall_seconds": seconds}


def _judge(settings: dict[str, Any], requests: int, replies: int, number: int) -> tuple[int, int]:
    """A judge in namespaces of its own: its process, and where it reports to."""
    reports, reports_write = os.pipe()
    go, go_write = os.pipe()
    user = settings["first_user_id"]
    user = os.getuid() if user is None else user + number % settings["user_count"]
    group = os.getgid() if settings["first_user_id"] is None else user
    child = namespaces.forked()
    if child == 0:
        try:
            # Until its user is known, which its parent says through its folder in /proc.
            namespaces.be_readable(True)
            os.write(reports_write, b"\n")
            os.read(go, 1)
            # Should the machine itself run out of memory, this goes before the worker.
            Path("/proc/self/oom_score_adj").write_text("1000")
            for descriptor in (replies, reports, go, go_write):
                os.close(descriptor)
            judge(settings, requests, reports_write)
        finally:
            namespaces.leave(1)
    os.close(reports_write)
    os.close(go)
    if os.read(reports, 1):
        namespaces.map_user(child, user, group)
        os.write(go_write, b"\n")
    os.close(go_write)
    return child, reports


class _Reports:
    """Lines of JSON from a judge."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._content = b""

    def next(self, seconds: float | None) -> Any:
        """What the next line says; null if there is none any more.

        Raises:
            TimeoutError: none came in time.
            ReportError: it is no line of JSON, or none of a report's length.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while b"\n" not in self._content:
            if len(self._content) > LINE_BYTES:
                raise ReportError
            left = None if until is None else max(0, until - time.monotonic())
            ready, _, _ = select.select([self._descriptor], [], [], left)
            if not ready:
                raise TimeoutError
            piece = os.read(self._descriptor, LINE_BYTES)
            if not piece:
                return None
            self._content += piece
        line, _, self._content = self._content.partition(b"\n")
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise ReportError from None


def _state(said: _Reports) -> dict[str, Any]:
    """What a judge says before it has run anything; empty if it says nothing that can be read."""
    try:
        found = said.next(None)
    except ReportError:
        return {}
    return found if isinstance(found, dict) else {}


def verdict_of(found: Any) -> dict[str, str]:
    """What a judge said of a program, which failed if that is no verdict."""
    match found:
        case {"outcome": str(outcome), "error_head": str(text), **others} if (
            outcome in OUTCOMES and len(text) <= ERROR_CHARACTERS and not others
        ):
            return {"outcome": outcome, "error_head": text}
    return {"outcome": "failed", "error_head": "what its judge said is no verdict"}


def _watched(
    settings: dict[str, Any], said: _Reports, child: int, started: float
) -> dict[str, str] | None:
    """The judge's verdict, or what the program did against its limits; null if the judge died."""
    deadline = started + settings["wall_seconds"]
    while (left := deadline - time.monotonic()) > 0:
        try:
            found = said.next(min(left, SECONDS_BETWEEN_LOOKS))
        except ReportError:
            return verdict_of(None)
        except TimeoutError:
            held = _address_space(besides={os.getpid(), child})
            if held > settings["memory_bytes"]:
                text = f"its processes together took {held:,} bytes"
                return {"outcome": "killed_memory", "error_head": text}
        else:
            return None if found is None else verdict_of(found)
    return {"outcome": "timed_out", "error_head": ""}


def _address_space(besides: set[int]) -> int:
    """Bytes of all processes here: memory that is in no process's space cannot be had."""
    pages = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) not in besides:
            # It may end in between.
            with contextlib.suppress(OSError, IndexError):
                pages += int((folder / "statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _end(child: int) -> tuple[int, Any]:
    """End a judge, and with it all processes of its namespaces."""
    os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return status, usage


if __name__ == "__main__":
    main()
