"""Sandbox: generated programs, run where they can do no harm.

Every worker is a bare Python interpreter in namespaces of its own, which bubblewrap makes: no
network, no files of this machine but the interpreter and its libraries, no environment. For each
program it makes two processes in namespaces of their own again: a judge, and below it the process
that runs the completion (see `inside/`). Neither sees the worker, and the completion does not see
the judge; when the judge is ended, the kernel ends all that the program started, and its scratch
folder, System V objects and network are gone with the namespaces.

bubblewrap alone makes one sandbox per interpreter, which takes 20 ms and more to start; other
packages (nsjail, sandlock) likewise start an executable per program. Here an interpreter that has
its modules already is forked, at a tenth of that.
"""

from __future__ import annotations

import contextlib
import json
import math
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from inference.errors import SandboxError
from inference.measuring.control_groups import ControlGroup, base
from inference.measuring.inside.endings import OUTCOMES
from inference.measuring.inside.worker import SECONDS_BETWEEN_LOOKS
from inference.measuring.system_calls import filter_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

Outcome = Literal["passed", "failed", "timed_out", "killed_memory", "sandbox_error"]

INSIDE = Path(__file__).with_name("inside")
WORKER = INSIDE / "worker.py"

GRACE_SECONDS = 15.0
"""A worker that has not answered so long after a program's time is taken for dead."""

ATTEMPTS = 3
"""Workers that a program is given before its outcome is sandbox_error."""

PROGRAM_CHARACTERS = 8 << 20
"""What is longer is no program: reading it would take the time and memory of running it."""

FIRST_USER_ID = 1_500_000_000
"""Users that no machine has: as root, each program runs as one of its own."""

USERS = 512
"""Of each process that has sandboxes, divided among its workers."""

REPLY_BYTES = 1 << 16
"""A worker's line is shorter, whatever it says."""

WORKER_BYTES = 256 << 20
"""What a worker and a judge may take besides a program, in a control group."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may take; the time is that of HumanEval's protocol."""

    wall_seconds: float = 3.0
    cpu_seconds: int = 4
    """For each process of the program."""
    memory_bytes: int = 512 << 20
    """Address space of each process of the program, and of all of them together."""
    process_count: int = 16
    """Processes and threads at the same time, the two that every program has among them."""
    file_bytes: int = 16 << 20
    """Of each file."""
    scratch_bytes: int = 64 << 20
    """Of all files together."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program whose checks are told apart from what a model wrote, which never gets to see them.

    As one text, `answer`, `checks` follow each other; of a program that is given as a text, the
    assertions at its end are taken for its checks.
    """

    given: str
    """The task as the model was shown it; the checks may use what it defines."""
    answer: str
    """The task and the completion."""
    checks: str
    """Python that calls `entry_point`, and raises if the completion is wrong."""
    entry_point: str


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What became of a program."""

    outcome: Outcome
    """sandbox_error: the machine did not run the program, whatever that was, though it was asked
    several times; it is to be run again. What a program does to itself is never one."""
    error_head: str
    """What went wrong, up to 500 characters; empty if it passed."""
    wall_seconds: float


def missing_layers() -> list[str]:
    """What this machine does not give to the sandbox, and what holds in its stead.

    Without the rest (namespaces of every kind, the filter of system calls) no program is run.
    """
    found = []
    if os.geteuid() != 0:
        found.append(
            "programs run as this user, kept apart by their namespaces; as root each would have a"
            " user of its own"
        )
    folder, why = base()
    if folder is None:
        found.append(
            f"no control group of version 2 ({why}): a program's memory is limited by the address"
            " space of its processes together, looked at"
            f" {1 / SECONDS_BETWEEN_LOOKS:.0f} times a second"
        )
    return found


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
                worker = _Worker(self._limits, number, self._count)
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

    def run_all(self, programs: Iterable[str | Program]) -> Iterator[ProgramResult]:
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

    def _run(self, program: str | Program) -> ProgramResult:
        worker = self._workers.get()
        try:
            return worker.run(program)
        finally:
            self._workers.put(worker)


class _Worker:
    """A sandboxed interpreter, replaced whenever it does not answer as it should."""

    def __init__(self, limits: Limits, number: int, count: int) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._group: ControlGroup | None = None
        users = max(1, USERS // count)
        is_root = os.geteuid() == 0
        self._settings = {
            "filter": filter_of().hex(),
            # The kernel does not hold root to a number of processes.
            "first_user_id": FIRST_USER_ID + os.getpid() * USERS + number * users
            if is_root
            else None,
            "user_count": users,
            "wall_seconds": limits.wall_seconds,
            "memory_bytes": limits.memory_bytes,
            "scratch_bytes": limits.scratch_bytes,
            "resources": {
                "RLIMIT_CPU": limits.cpu_seconds,
                "RLIMIT_AS": limits.memory_bytes,
                "RLIMIT_NPROC": limits.process_count,
                "RLIMIT_FSIZE": limits.file_bytes,
                "RLIMIT_NOFILE": 64,
                "RLIMIT_CORE": 0,
                "RLIMIT_MEMLOCK": 0,
                "RLIMIT_MSGQUEUE": 0,
                "RLIMIT_SIGPENDING": 64,
                "RLIMIT_NICE": 0,
                "RLIMIT_RTPRIO": 0,
            },
        }

    def start(self) -> None:
        """Start the interpreter, with all that its first program needs.

        Raises:
            SandboxError: it does not start.
        """
        command = _sandboxed()
        folder, _ = base()
        if folder is not None:
            try:
                self._group = ControlGroup(
                    folder,
                    memory_bytes=self._limits.memory_bytes
                    + self._limits.scratch_bytes
                    + WORKER_BYTES,
                    # bubblewrap and the worker besides.
                    process_count=self._limits.process_count + 3,
                )
            except OSError as error:
                raise SandboxError(f"no control group can be made in {folder}: {error}") from error
            command = self._group.entered(command)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            start_new_session=True,
        )
        reply = self._ask(self._settings, GRACE_SECONDS)
        if reply is None or reply["outcome"] != "ready":
            self._process.kill()
            _, said = self._process.communicate()
            why = reply.get("error_head", "") if reply else said.decode(errors="replace").strip()
            self.stop()
            raise SandboxError(
                "the sandbox cannot be built on this machine; it said:"
                f" {why[-500:] or 'nothing'}. It needs bubblewrap, user namespaces that may be"
                " nested, and seccomp (in a container: --security-opt seccomp=unconfined, or"
                " --privileged)"
            )

    def run(self, program: str | Program) -> ProgramResult:
        # Lone surrogates are no text, but a model's program may have them.
        request = {"text": program} if isinstance(program, str) else asdict(program)
        if sum(map(len, request.values())) > PROGRAM_CHARACTERS:
            text = f"it has more than {PROGRAM_CHARACTERS:,} characters"
            return ProgramResult("failed", text, 0.0)
        why = ""
        for attempt in range(1, ATTEMPTS + 1):
            # A worker ends with the thread that started it, which may have been of another call.
            if self._process is not None and self._process.poll() is not None:
                self.stop()
            if self._process is None:
                try:
                    self.start()
                except SandboxError as error:
                    if attempt == ATTEMPTS:
                        raise
                    why = str(error)
                    continue
            reply = self._ask(request, self._limits.wall_seconds + GRACE_SECONDS)
            if reply is not None and reply["outcome"] in OUTCOMES:
                # As text that can be written: an error may say lone surrogates.
                said = reply["error_head"].encode("utf-8", "replace").decode()
                return ProgramResult(reply["outcome"], said[:500], reply["wall_seconds"])
            why = reply.get("error_head", "") if reply else "the worker ended"
            self.stop()
        return ProgramResult("sandbox_error", f"{ATTEMPTS} times: {why}"[:500], 0.0)

    def _ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return None
        return self._read(seconds)

    def _read(self, seconds: float) -> dict[str, Any] | None:
        """A line of the worker's; null if it ended or took too long."""
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + seconds
        content = b""
        while not content.endswith(b"\n") and len(content) <= REPLY_BYTES:
            ready, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(descriptor, 1 << 16) if ready else b""
            if not piece:
                return None
            content += piece
        return reply_of(content)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # With it goes its namespace, and every process in that.
        process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                # What was not written yet has no reader any more.
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        process.wait()
        if self._group is not None:
            self._group.remove()
            self._group = None


def reply_of(line: bytes) -> dict[str, Any]:
    """What a worker said; of what it never says, that the program failed."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    match found:
        case {"outcome": "ready"}:
            return {"outcome": "ready"}
        case {
            "outcome": str(outcome),
            "error_head": str(text),
            "wall_seconds": float(seconds),
        } if outcome in (*OUTCOMES, "broken") and 0 <= seconds < math.inf:
            return {"outcome": outcome, "error_head": text, "wall_seconds": seconds}
    text = "what its worker said is no verdict"
    return {"outcome": "failed", "error_head": text, "wall_seconds": 0.0}


def _sandboxed() -> list[str]:
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError(
            "generated programs are run in a sandbox only, and bwrap is not installed: on Debian"
            " and Ubuntu, apt-get install bubblewrap"
        )
    home, site = Path("/python"), Path("/site")
    package = site / "inference" / "measuring"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    standard = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    # At a place of its own: the folders above it may be closed to other users, as /root is.
    mounts = {
        "/lib": "/lib",
        "/lib64": "/lib64",
        "/usr/lib": "/usr/lib",
        str(standard): home / "lib" / version,
        str(Path(sys.executable).resolve()): home / "bin" / "python",
        str(INSIDE): package / "inside",
    }
    if sysconfig.get_config_var("Py_ENABLE_SHARED"):
        name = sysconfig.get_config_var("INSTSONAME")
        mounts[f"{sysconfig.get_config_var('LIBDIR')}/{name}"] = home / "lib" / name
    arguments = [program, "--die-with-parent", "--new-session", "--as-pid-1", "--clearenv"]
    if os.geteuid() == 0:
        # Without a namespace of users here, so that each program can be another user below.
        arguments += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
        arguments += ["--unshare-cgroup-try", "--cap-drop", "ALL"]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_KILL"):
            arguments += ["--cap-add", capability]
    else:
        arguments += ["--unshare-all", "--cap-drop", "ALL"]
    arguments += ["--hostname", "sandbox"]
    for folder in ("/usr", "/dev", home, home / "lib", home / "bin", site, package.parent, package):
        # Otherwise bubblewrap makes them for its own user only.
        arguments += ["--perms", "0755", "--dir", str(folder)]
    for source, target in mounts.items():
        if Path(source).exists():
            arguments += ["--ro-bind", source, str(target)]
    for packages in ("site-packages", "dist-packages"):
        if (standard / packages).is_dir():
            # Programs get the standard library only.
            over = str(home / "lib" / version / packages)
            arguments += ["--tmpfs", over, "--remount-ro", over]
    for device in ("/dev/null", "/dev/zero", "/dev/urandom"):
        arguments += ["--dev-bind", device, device]
    # Programs have scratch folders of their own over this one, and nothing where processes are.
    arguments += ["--perms", "0755", "--dir", "/tmp", "--proc", "/proc", "--remount-ro", "/"]
    for name, value in (
        ("PYTHONHOME", home),
        ("PYTHONPATH", site),
        ("LD_LIBRARY_PATH", home / "lib"),
    ):
        arguments += ["--setenv", name, str(value)]
    script = "from inference.measuring.inside.worker import main; main()"
    return [*arguments, str(home / "bin" / "python"), "-S", "-B", "-s", "-P", "-c", script]
