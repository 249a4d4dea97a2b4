"""Sandbox: generated programs, run where they can do no harm.

Every worker is a bare Python interpreter in namespaces of its own, which bubblewrap makes: no
network, no files of this machine but the interpreter and its libraries, a small scratch folder in
memory, no environment, no other processes. Each program is a child of the worker with limits on
time, memory, processes and files; all that it leaves behind is ended and removed before the next.

What is not guaranteed: a program and the checks of its result share a process, as in every runner
of HumanEval. A program that ends early, prints or exits as it likes does not pass; one written
against this very runner, which looks for the runner's secret in the frames above its own, could.
It would gain a false score, nothing else.
"""

from __future__ import annotations

import json
import os
import queue
import select
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inference.errors import SandboxError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

Outcome = Literal["passed", "failed", "timed_out", "killed_memory", "sandbox_error"]

WORKER = Path(__file__).with_name("sandbox_worker.py")

GRACE_SECONDS = 15.0
"""A worker that has not answered so long after a program's time is taken for dead."""

FIRST_USER_ID = 1_500_000_000
"""Users that no machine has: as root, each worker gives its programs one of their own."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may take; the time is that of HumanEval's protocol."""

    wall_seconds: float = 3.0
    cpu_seconds: int = 4
    """For each process of the program."""
    memory_bytes: int = 512 << 20
    """Address space of each process of the program."""
    process_count: int = 16
    """Processes and threads at the same time."""
    file_bytes: int = 16 << 20
    """Of each file."""
    scratch_bytes: int = 64 << 20
    """Of all files together."""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What became of a program."""

    outcome: Outcome
    """sandbox_error says nothing about the program; it is to be run again."""
    error_head: str
    """What went wrong, up to 500 characters; empty if it passed."""
    wall_seconds: float


def check_sandbox() -> None:
    """Return if programs can be run safely on this machine.

    Raises:
        SandboxError: they cannot; the message says why, and what would help.
    """
    with Sandbox(worker_count=1) as sandbox:
        (result,) = sandbox.run_all(["assert 1 + 1 == 2"])
    if result.outcome != "passed":
        raise SandboxError(f"the sandbox does not work here: {result.error_head}")


class Sandbox:
    """A pool of workers; use as a context manager. There is no way to run programs without it.

    Raises:
        SandboxError: the sandbox cannot be built on this machine.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        worker_count: int | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._count = worker_count or os.cpu_count() or 1
        self._workers: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._all: list[_Worker] = []

    def __enter__(self) -> Sandbox:
        """Start the workers."""
        try:
            for number in range(self._count):
                worker = _Worker(self._limits, number)
                self._all.append(worker)
                worker.start()
                self._workers.put(worker)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the workers and whatever they run."""
        self._stop()

    def _stop(self) -> None:
        for worker in self._all:
            worker.stop()

    def run_all(self, programs: Iterable[str]) -> Iterator[ProgramResult]:
        """What becomes of each program, in their order; a few are run ahead."""
        pending: deque[Future[ProgramResult]] = deque()
        with ThreadPoolExecutor(self._count) as threads:
            try:
                for program in programs:
                    pending.append(threads.submit(self._run, program))
                    if len(pending) > 8 * self._count:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()

    def _run(self, program: str) -> ProgramResult:
        worker = self._workers.get()
        try:
            return worker.run(program)
        finally:
            self._workers.put(worker)


class _Worker:
    """A sandboxed interpreter, replaced whenever it does not answer as it should."""

    def __init__(self, limits: Limits, number: int) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._request_limits = {
            "wall_seconds": limits.wall_seconds,
            # The kernel does not hold root to a number of processes.
            "user_id": FIRST_USER_ID + os.getpid() * 64 + number % 64
            if os.geteuid() == 0
            else None,
            "resources": {
                "RLIMIT_CPU": limits.cpu_seconds,
                "RLIMIT_AS": limits.memory_bytes,
                "RLIMIT_NPROC": limits.process_count,
                "RLIMIT_FSIZE": limits.file_bytes,
                "RLIMIT_NOFILE": 64,
                "RLIMIT_CORE": 0,
            },
        }

    def start(self) -> None:
        self._process = subprocess.Popen(
            _sandboxed(self._limits),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            start_new_session=True,
        )
        if self._read(GRACE_SECONDS) is None:
            self._process.kill()
            _, said = self._process.communicate()
            raise SandboxError(
                "the sandbox cannot be built on this machine; bubblewrap said:"
                f" {said.decode(errors='replace').strip()[:500] or 'nothing'}. It needs user"
                " namespaces (in a container: --security-opt seccomp=unconfined, or --privileged)"
            )

    def run(self, program: str) -> ProgramResult:
        for _ in range(2):
            # A worker ends with the thread that started it, which may have been of another call.
            if self._process is not None and self._process.poll() is not None:
                self.stop()
            if self._process is None:
                self.start()
            reply = self._ask(program)
            if reply is not None:
                if not reply["is_clean"]:
                    self.stop()
                return ProgramResult(
                    reply["outcome"], reply["error_head"][:500], reply["wall_seconds"]
                )
            self.stop()
        return ProgramResult("sandbox_error", "the worker ended twice", 0.0)

    def _ask(self, program: str) -> dict[str, Any] | None:
        assert self._process is not None
        assert self._process.stdin is not None
        # Lone surrogates are no text, but a model's program may have them.
        request = json.dumps({"program": program, "limits": self._request_limits})
        try:
            self._process.stdin.write(request.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return None
        return self._read(self._limits.wall_seconds + GRACE_SECONDS)

    def _read(self, seconds: float) -> dict[str, Any] | None:
        """A line of the worker's; null if it ended or took too long."""
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + seconds
        content = b""
        while not content.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(descriptor, 1 << 16) if ready else b""
            if not piece:
                return None
            content += piece
        reply: dict[str, Any] = json.loads(content)
        return reply

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # With it goes its namespace, and every process in that.
        process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()


def _sandboxed(limits: Limits) -> list[str]:
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError(
            "generated programs are run in a sandbox only, and bwrap is not installed: on Debian"
            " and Ubuntu, apt-get install bubblewrap"
        )
    home = Path("/python")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # At a place of its own: the folders above it may be closed to other users, as /root is.
    mounts = {
        "/lib": "/lib",
        "/lib64": "/lib64",
        "/usr/lib": "/usr/lib",
        sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}): home
        / "lib"
        / version,
        str(Path(sys.executable).resolve()): home / "bin" / "python",
        str(WORKER): "/worker.py",
    }
    if sysconfig.get_config_var("Py_ENABLE_SHARED"):
        name = sysconfig.get_config_var("INSTSONAME")
        mounts[f"{sysconfig.get_config_var('LIBDIR')}/{name}"] = home / "lib" / name
    arguments = [program, "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    if os.geteuid() == 0:
        # Without a namespace of users, so that programs can be another user; see _Worker.
        arguments += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        arguments += ["--unshare-cgroup-try", "--cap-drop", "ALL"]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_KILL"):
            arguments += ["--cap-add", capability]
    else:
        arguments += ["--unshare-all", "--cap-drop", "ALL"]
    for folder in ("/usr", home, home / "lib", home / "bin"):
        # Otherwise bubblewrap makes them for its own user only.
        arguments += ["--perms", "0755", "--dir", str(folder)]
    for source, target in mounts.items():
        if Path(source).exists():
            arguments += ["--ro-bind", source, str(target)]
    for device in ("/dev/null", "/dev/zero", "/dev/urandom"):
        arguments += ["--dev-bind", device, device]
    arguments += ["--perms", "1777", "--size", str(limits.scratch_bytes), "--tmpfs", "/tmp"]
    arguments += ["--setenv", "PYTHONHOME", str(home), "--chdir", "/tmp"]
    arguments += ["--setenv", "LD_LIBRARY_PATH", str(home / "lib"), "--remount-ro", "/"]
    return [*arguments, str(home / "bin" / "python"), "-S", "-B", "-s", "-P", "/worker.py"]
