"""Worker: the process inside a sandbox, which forks a child for each program.

It imports nothing but the standard library, because it runs on a bare interpreter. As process 1 of
its own process namespace it cannot be killed from within, and ends every other process there with
one signal.

Requests and replies are lines of JSON on its standard input and output.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

# Programs import these; a child that is forked has them already.
PRELOADED = (
    *("bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "hashlib"),
    *("heapq", "itertools", "math", "operator", "random", "re", "statistics", "string", "typing"),
)

PR_SET_DUMPABLE = 4

RESULT_DESCRIPTOR = 3
"""The only descriptor of a program besides the standard ones, which are /dev/null."""

REPORT_BYTES = 4096
SCRATCH = Path("/tmp")


def main() -> None:
    """Serve programs until standard input ends.

    Raises:
        SystemExit: this is no sandbox: here it would end and remove what is not its own.
    """
    _refuse_outside_a_sandbox()
    # Processes of the same user can neither trace this one nor read its memory.
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    for name in PRELOADED:
        __import__(name)
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nowhere = os.open("/dev/null", os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    # What exists now is never looked at again by a child's collector, which keeps it shared.
    gc.freeze()
    _reply(replies, {"ready": True})
    for line in requests:
        request = json.loads(line)
        _reply(replies, run(request["program"], request["limits"]))


def _refuse_outside_a_sandbox() -> None:
    """Between programs every other process is killed and the scratch folder emptied."""
    is_first = os.getpid() == 1
    # Nobody's /tmp: the sandbox's is its only folder that can be written to, and is new.
    if not is_first or any(SCRATCH.iterdir()) or Path("/home").exists() or Path("/etc").exists():
        raise SystemExit("this runs as the first process of a sandbox, and nowhere else")


def _reply(replies: Any, reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")
    replies.flush()


def run(program: str, limits: dict[str, Any]) -> dict[str, Any]:
    """What becomes of `program` in a child of its own; afterwards nothing of it is left."""
    # Only a child that came to the program's end is told to say this.
    token = os.urandom(16).hex()
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(program, limits, token, writing)
    os.close(writing)
    handle = os.pidfd_open(child)
    ready, _, _ = select.select([handle], [], [], limits["wall_seconds"])
    seconds = time.monotonic() - started
    # What it has written is in the pipe; that a process of its own holds the other end is no
    # reason to wait.
    os.set_blocking(reading, False)
    report = b""
    with contextlib.suppress(BlockingIOError):
        report = os.read(reading, REPORT_BYTES)
    os.close(reading)
    os.close(handle)
    status = _end_all(child)
    reply = _verdict(report.decode("utf-8", "replace"), token, status, is_over=bool(ready))
    reply["wall_seconds"] = seconds
    reply["is_clean"] = _clean(limits)
    return reply


def _verdict(report: str, token: str, status: int | None, *, is_over: bool) -> dict[str, Any]:
    if not is_over:
        return {"outcome": "timed_out", "error_head": ""}
    kind, _, rest = report.partition("\n")
    if kind == token + "passed" and status == 0:
        return {"outcome": "passed", "error_head": ""}
    if kind == token + "memory":
        return {"outcome": "killed_memory", "error_head": rest}
    if kind == token + "failed":
        return {"outcome": "failed", "error_head": rest}
    if status is not None and os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return {"outcome": "timed_out", "error_head": ""}
        # Nobody but the kernel kills it so: it had no memory left to give.
        outcome = "killed_memory" if number == signal.SIGKILL else "failed"
        return {"outcome": outcome, "error_head": f"ended by {signal.Signals(number).name}"}
    return {"outcome": "failed", "error_head": "it ended before its last line"}


def _end_all(child: int) -> int | None:
    """Kill every other process and wait for all of them; the child's status."""
    found: int | None = None
    while True:
        with contextlib.suppress(ProcessLookupError):
            # To this whole namespace: the kernel lets no fork slip through.
            os.kill(-1, signal.SIGKILL)
        try:
            process, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return found
        if process == child:
            found = status


def _clean(limits: dict[str, Any]) -> bool:
    """Empty the scratch folder, as the user that filled it; whether that worked."""
    if not any(SCRATCH.iterdir()):
        return True
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
            _become_user(limits)
            for path in SCRATCH.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
        os._exit(0)
    os.waitpid(child, 0)
    return not any(SCRATCH.iterdir())


def _become_user(limits: dict[str, Any]) -> None:
    user = limits["user_id"]
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def _become(program: str, limits: dict[str, Any], token: str, writing: int) -> None:
    """Run `program` in this process, say how it ended, and end."""
    # References from before the program, which may put others in their places.
    write, leave, is_instance, memory_error = os.write, os._exit, isinstance, MemoryError
    exception_of_now, describe = sys.exc_info, traceback.format_exception_only
    is_over = False
    try:
        os.dup2(writing, RESULT_DESCRIPTOR)
        os.closerange(RESULT_DESCRIPTOR + 1, 4096)
        os.chdir(SCRATCH)
        for name, limit in limits["resources"].items():
            resource.setrlimit(getattr(resource, name), (limit, limit))
        _become_user(limits)
        sys.argv = [""]
        namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        exec(compile(program, "<program>", "exec"), namespace)
        is_over = True
    finally:
        # Not `except`, whose names of exceptions a program may have changed; whatever is raised,
        # this process ends here.
        try:
            if is_over:
                write(RESULT_DESCRIPTOR, f"{token}passed\n".encode())
                leave(0)
            error = exception_of_now()[1]
            kind = "memory" if is_instance(error, memory_error) else "failed"
            text = "an exception that cannot be shown"
            try:
                text = "".join(describe(error)).strip()[-500:]
            finally:
                write(RESULT_DESCRIPTOR, f"{token}{kind}\n{text}".encode("utf-8", "replace"))
        finally:
            leave(1)


if __name__ == "__main__":
    main()
