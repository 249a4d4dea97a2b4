"""The sandbox: programs get their due, and nothing gets out. Real processes, no fakes."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from inference.errors import SandboxError
from inference.measuring import sandbox as sandbox_module
from inference.measuring.control_groups import ControlGroup, base
from inference.measuring.programs import parts_of, program_of
from inference.measuring.sandbox import (
    WORKER,
    Limits,
    Program,
    Sandbox,
    _Worker,
    check_sandbox,
    missing_layers,
)
from inference.measuring.system_calls import ALLOWED, filter_of
from inference.planning.declarations import read_benchmark
from inference.planning.files import cached_files, demo_files
from inference.planning.items import read_items
from tests.dbt_project import REPOSITORY
from tests.inference.measuring.hostile_kernel_programs import HOSTILE_KERNEL
from tests.inference.measuring.hostile_programs import HOSTILE, WRONG
from tests.inference.measuring.hostile_verdicts import CHECKS, FORGERIES, GIVEN, RIGHT
from tests.inference.measuring.hostile_verdicts import WRONG as WRONG_ANSWER
from tests.inference.measuring.users import USERS, open_folder, run_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.measuring.sandbox import ProgramResult


def obstacle() -> str:
    """Why no sandbox can be made here, by bubblewrap's own word; empty if one can."""
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed"
    command = ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "true"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stderr.strip() if result.returncode else ""


pytestmark = [
    pytest.mark.skipif(bool(obstacle()), reason=obstacle() or "none"),
    pytest.mark.slow(seconds=100),
]

SHORT = Limits(wall_seconds=1.0)

ORDINARY = {
    "assert 1 + 1 == 2": "passed",
    "assert 1 + 1 == 3": "failed",
    "def f(:": "failed",
    "while True: pass": "timed_out",
    "def f(n): return f(n + 1)\nf(0)": "failed",
    "print('あ' * 100_000)": "passed",
    "import numpy": "failed",
    "x = [0] * (1 << 30)": "killed_memory",
    "from typing import List\nimport math, re, collections\nassert math.pi > 3": "passed",
    "input()": "failed",
    "": "passed",
    "raise KeyboardInterrupt": "failed",
    "if __name__ == '__main__': raise ValueError": "failed",
    "open('/tmp/mine', 'w').write('x')\nassert open('/tmp/mine').read() == 'x'": "passed",
    "import os\nassert os.listdir('/tmp') == []": "passed",
    "x = '\ud800'": "failed",
}


@pytest.fixture
def sandbox():
    with Sandbox(SHORT, worker_count=2) as sandbox:
        yield sandbox


def test_ordinary_programs_get_their_due_in_their_order(sandbox):
    programs = list(ORDINARY) * 5
    results = list(sandbox.run_all(programs))
    expected = [ORDINARY[program] for program in programs]
    assert [result.outcome for result in results] == expected
    for result in results:
        assert (result.error_head == "") == (result.outcome in ("passed", "timed_out"))


def test_a_program_may_take_nearly_all_of_its_time():
    with Sandbox(worker_count=1) as sandbox:
        (result,) = sandbox.run_all(["import time\ntime.sleep(2.5)"])
    assert result.outcome == "passed"
    assert 2.5 < result.wall_seconds < 3.0


@contextlib.contextmanager
def server() -> Iterator[tuple[str, list[str]]]:
    """A port of this machine, and what reached it."""
    reached = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.2)
        is_over = threading.Event()

        def listen() -> None:
            while not is_over.is_set():
                with contextlib.suppress(TimeoutError):
                    connection, _ = listening.accept()
                    reached.append("the network")
                    connection.close()

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield str(listening.getsockname()[1]), reached
        finally:
            is_over.set()
            thread.join()


def processes_of_sandboxes() -> set[int]:
    """Of this test's own, or of nobody: another worker may run tests at the same time."""
    found = set()
    for process in psutil.process_iter(["pid", "cmdline"]):
        with contextlib.suppress(psutil.Error):
            parents = {parent.pid for parent in process.parents()}
            is_ours = os.getpid() in parents or not parents - {1}
            if is_ours and "inference.measuring.inside" in str(process.info["cmdline"]):
                found.add(process.pid)
    return found


def left_in_the_kernel() -> list[str]:
    """System V objects, which outlive processes."""
    return [Path(f"/proc/sysvipc/{kind}").read_text() for kind in ("shm", "sem", "msg")]


NOTHING_IS_LEFT = """
import os
assert os.listdir('/tmp') == []
assert os.listdir('/proc') == []
room = bytearray(16 << 20)
assert 1 + 1 == 2
"""

DUE = ("failed", "timed_out", "killed_memory")


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("programs", [HOSTILE, HOSTILE_KERNEL], ids=["by Python", "by the kernel"])
def test_hostile_programs_do_no_harm_and_do_not_pass(user, programs, monkeypatch):
    """None escapes, leaks, stays or evades; after each, a right program passes, a wrong one not."""
    monkeypatch.setenv("EVALWH_TEST_SECRET", "hunter2")
    left_before = left_in_the_kernel()
    with open_folder() as folder, server() as (port, reached):
        (folder / "secret").write_text("hunter2")
        jobs = []
        for program in programs.values():
            text = program.replace("SECRET", str(folder / "secret"))
            text = text.replace("OUTSIDE", str(folder)).replace("PORT", port)
            jobs += [text + WRONG, NOTHING_IS_LEFT, "assert 1 + 1 == 3"]
        results = run_as(user, jobs)
        assert sorted(path.name for path in folder.iterdir()) == ["secret"]
    for name, (hostile, right, wrong) in zip(programs, batched(results), strict=True):
        assert hostile.outcome in DUE, (name, hostile)
        assert "REACHED" not in hostile.error_head, (name, hostile)
        assert "hunter2" not in hostile.error_head, (name, hostile)
        assert right.outcome == "passed", (name, right)
        assert wrong.outcome == "failed", (name, wrong)
    assert reached == []
    assert processes_of_sandboxes() == set()
    assert left_in_the_kernel() == left_before


def batched(results: list[ProgramResult]) -> Iterator[tuple[ProgramResult, ...]]:
    return zip(results[0::3], results[1::3], results[2::3], strict=True)


def parts(answer: str) -> Program:
    return Program(given=GIVEN, answer=answer, checks=f"{CHECKS}\ncheck(f)", entry_point="f")


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("form", ["parts", "text"])
def test_no_completion_makes_its_own_verdict(user, form):
    jobs = []
    for forgery in FORGERIES.values():
        for answer in (forgery, GIVEN + RIGHT, GIVEN + WRONG_ANSWER):
            program = parts(answer)
            jobs.append(program if form == "parts" else f"{answer}\n{program.checks}")
    results = run_as(user, jobs)
    for name, (forged, right, wrong) in zip(FORGERIES, batched(results), strict=True):
        assert forged.outcome in DUE, (name, forged)
        assert right.outcome == "passed", (name, right)
        assert wrong.outcome == "failed", (name, wrong)


def test_memory_of_all_processes_together_is_limited():
    """Also what no process alone has too much of, and what it has handed on to others."""
    texts = (
        # Each process holds a part that no page of its own shows.
        "import mmap, os, time\nfor _ in range(10):\n m = mmap.mmap(-1, 100 << 20)\n"
        " if os.fork(): time.sleep(60)\n m.close()\ntime.sleep(60)",
        "import os, time\nfor _ in range(10):\n if os.fork() == 0: break\n"
        "kept = bytearray(100 << 20)\ntime.sleep(60)",
    )
    with Sandbox(Limits(wall_seconds=30, memory_bytes=256 << 20), worker_count=1) as sandbox:
        results = list(sandbox.run_all(texts))
    assert [result.outcome for result in results] == ["killed_memory"] * 2


def test_what_a_program_lists_is_as_it_says_itself():
    """Nothing of the machine: its names, users, processes, folders."""
    text = (
        "import os\n"
        "folders = sorted(set(os.listdir('/')) - {'lib64'})\n"
        "names = sorted(os.environ)\n"
        "assert os.getuid() == os.getgid() == 1000\n"
        "assert (os.getpid(), os.getppid()) == (1, 0)\n"
        "assert os.uname()[1] == 'sandbox'\n"
        "assert folders == ['dev', 'lib', 'proc', 'python', 'site', 'tmp', 'usr']\n"
        "assert names == ['LC_CTYPE', 'LD_LIBRARY_PATH', 'PWD', 'PYTHONHOME', 'PYTHONPATH']"
    )
    with Sandbox(SHORT, worker_count=1) as sandbox:
        (result,) = sandbox.run_all([text])
    assert result.outcome == "passed", result


RIGHT_PROGRAMS = {
    "modules with a state": (
        "import random\nrandom.seed(0)\nassert round(random.random(), 3) == 0.844"
    ),
    "names that no text shows": (
        "from math import *\nexec('def f(x): return sqrt(x)')\nassert f(4) == 2\n"
        "assert isclose(f(2), sqrt(2))"
    ),
    "classes": (
        "class P:\n def __init__(self, a, b): self.a, self.b = a, b\n"
        "def f(pairs): return max(p.b for p in pairs)\n"
        "assert f([P(1, 2), P(3, 4)]) == 4\nassert P(1, 2).a == 1"
    ),
    "objects made before": (
        "class Node:\n def __init__(self): self.left = None\n"
        "def depth(n): return 0 if n is None else 1 + depth(n.left)\n"
        "root = Node()\nroot.left = Node()\nassert depth(root) == 2\nassert depth(root.left) == 1"
    ),
    "iterators without end": (
        "import itertools\ndef g():\n n = 0\n while True:\n  yield n\n  n += 1\n"
        "assert next(g()) == 0\nassert list(itertools.islice(g(), 3)) == [0, 1, 2]"
    ),
    "counters": (
        "from collections import Counter, deque\ndef f(x): return Counter(x)\n"
        "assert f('aab') == {'a': 2, 'b': 1}\nassert deque([1]) != [1]\n"
        "assert deque([1, 2]) == deque([1, 2])"
    ),
    "arguments that are changed": (
        "def f(x):\n x.sort()\n return x\n"
        "def check(candidate):\n a = [3, 1, 2]\n b = candidate(a)\n assert b is a\n"
        " assert a == [1, 2, 3]\ncheck(f)"
    ),
    "a built-in name of its own": "def sum(x): return 42\nassert sum([1]) == 42",
    "functions as arguments": "def f(g, x): return g(x)\nassert f(lambda x: x + 1, 1) == 2",
    "values of every kind": (
        "import datetime, decimal, fractions\ndef f(x): return x\n"
        "for_all = None\n"
        "assert f({1: {2, 3}}) == {1: {2, 3}}\nassert f(1 + 2j) == 1 + 2j\n"
        "assert f(range(3)) == range(3)\nassert f(b'x') == b'x'\nassert f(None) is None\n"
        "assert f(True) is True\nassert f(int) is int\nassert f(10 ** 5000) == 10 ** 5000\n"
        "assert f(decimal.Decimal('0.1')) == decimal.Decimal('0.1')\n"
        "assert f(fractions.Fraction(1, 2)) == 0.5\nassert f(float('inf')) == float('inf')\n"
        "assert str(f(-0.0)) == '-0.0'\nassert f({1: 2}.keys()) == {1}\n"
        "assert f(datetime.date(2020, 2, 29)) == datetime.date(2020, 2, 29)\n"
        "assert f(datetime.timedelta(1)).days == 1"
    ),
    "asyncio": "import asyncio\nasync def f(): return 3\nassert asyncio.run(f()) == 3",
    "threads": (
        "import threading\nr = []\nt = threading.Thread(target=r.append, args=(1,))\n"
        "t.start()\nt.join()\nassert r == [1]"
    ),
    "one line": "x = 1; assert x == 1",
    "letters of two bytes": "def é(x): return '日本' + x\nassert é('語') == '日本語'; assert é('')",
    "much": "def f(n): return [[0] * n for _ in range(n)]\nassert len(f(1000)) == 1000",
    "files": (
        "import os, tempfile\nd = tempfile.mkdtemp()\nopen(d + '/x', 'w').write('y')\n"
        "assert os.listdir(d) == ['x']"
    ),
    "an alarm": (
        "import signal\ndef f():\n heard = []\n"
        " signal.signal(signal.SIGALRM, lambda *_: heard.append(1))\n"
        " signal.setitimer(signal.ITIMER_REAL, 0.01)\n signal.pause()\n return heard\n"
        "assert f() == [1]"
    ),
    "children": (
        "import os\ndef f():\n child = os.fork()\n if child == 0: os._exit(7)\n"
        " return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\nassert f() == 7"
    ),
}


@pytest.mark.parametrize("user", USERS)
def test_right_programs_pass_whatever_they_use(user):
    results = run_as(user, list(RIGHT_PROGRAMS.values()))
    found = dict(zip(RIGHT_PROGRAMS, results, strict=True))
    assert {name: one for name, one in found.items() if one.outcome != "passed"} == {}


def test_what_programs_say_can_be_written():
    """An error with lone surrogates would otherwise end the measuring of all that follow."""
    texts = ["raise ValueError('\\ud800')", "class E(Exception): pass\nraise E(chr(0xDFFF))"]
    with Sandbox(SHORT, worker_count=1) as sandbox:
        for result in sandbox.run_all(texts):
            assert result.outcome == "failed"
            assert result.error_head.encode().decode() == result.error_head
            assert result.error_head.endswith(": ?")


def test_a_program_without_end_fails():
    with Sandbox(SHORT, worker_count=1) as sandbox:
        results = list(sandbox.run_all(["x = 1\n" * 2_000_000, "#" * (4 << 20)]))
    assert [result.outcome for result in results] == ["failed", "passed"]


def test_annotations_are_evaluated_as_the_reference_does():
    with Sandbox(SHORT, worker_count=1) as sandbox:
        (result,) = sandbox.run_all(["def f(x: Unknown): return x\nassert f(1) == 1"])
    assert (result.outcome, result.error_head) == (
        "failed",
        "NameError: name 'Unknown' is not defined",
    )


@pytest.fixture
def dying(monkeypatch):
    """Workers that the machine ends as they are given a program, so many times."""
    times = [0]
    ask = _Worker._ask

    def ask_the_dying(worker: _Worker, request: dict[str, Any], seconds: float) -> Any:
        if "text" in request and times[0]:
            times[0] -= 1
            assert worker._process is not None
            worker._process.kill()
            worker._process.wait()
        return ask(worker, request, seconds)

    monkeypatch.setattr(_Worker, "_ask", ask_the_dying)
    return times


def test_a_worker_that_the_machine_ends_is_replaced_and_the_program_run_again(dying):
    dying[0] = 2
    with Sandbox(SHORT, worker_count=1) as sandbox:
        (result,) = sandbox.run_all(["assert True"])
    assert (result.outcome, dying) == ("passed", [0])


def test_only_a_machine_that_ends_every_worker_makes_a_sandbox_error(dying):
    dying[0] = 3
    with Sandbox(SHORT, worker_count=1) as sandbox:
        failed, after = sandbox.run_all(["assert True", "assert 1"])
    assert (failed.outcome, failed.error_head) == ("sandbox_error", "3 times: the worker ended")
    assert after.outcome == "passed"


def test_sandboxes_end_with_the_process_that_has_them():
    script = (
        "from inference.measuring.sandbox import Sandbox, Limits\n"
        "with Sandbox(Limits(wall_seconds=60), worker_count=2) as sandbox:\n"
        " print('started', flush=True)\n"
        " list(sandbox.run_all(['import time\\ntime.sleep(60)'] * 2))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        theirs = psutil.Process(process.pid).children(recursive=True)
        # For each of two workers: bubblewrap, the worker, a judge and a completion.
        assert len(theirs) == 8
        process.kill()
    _, alive = psutil.wait_procs(theirs, timeout=10)
    assert alive == []


def test_layers_that_a_machine_does_not_give_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(sandbox_module, "base", lambda: (tmp_path, str(tmp_path)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert missing_layers() == []
    monkeypatch.setattr(sandbox_module, "base", lambda: (None, "version 1 is mounted"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    user, group = missing_layers()
    assert "programs run as this user" in user
    assert "version 1 is mounted" in group


def test_an_architecture_without_numbers_is_refused():
    with pytest.raises(SandboxError, match="x86_64 and aarch64, not of riscv64"):
        filter_of("riscv64")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_system_call_has_two_rows_in_the_filter(machine):
    """A number that stands twice is a mistake in the tables."""
    numbers = [
        struct.unpack("HBBI", row)[3]
        for row in batches(filter_of(machine), 8)
        if struct.unpack("HBBI", row)[:3] == (0x15, 0, 1)
    ]
    plain = numbers[: sum(one[machine == "aarch64"] is not None for one in ALLOWED.values())]
    assert len(plain) == len(set(plain))
    assert len(filter_of(machine)) == len(filter_of(machine)) // 8 * 8


def batches(content: bytes, length: int) -> list[bytes]:
    return [content[at : at + length] for at in range(0, len(content), length)]


def test_where_control_groups_are_delegated_a_worker_is_in_one(tmp_path):
    """In a tree like the kernel's: this machine may not have one."""
    root, own = tmp_path / "cgroup", tmp_path / "own"
    scope = root / "user" / "scope"
    scope.mkdir(parents=True)
    own.write_text("0::/user/scope\n")
    assert base(root, own) == (None, f"version 2 is not at {root}")
    (root / "cgroup.controllers").write_text("cpu memory pids")
    assert base(root, own) == (None, f"{scope} has no memory and pids delegated to this user")
    (scope.parent / "cgroup.subtree_control").write_text("memory pids")
    (scope.parent / "cgroup.procs").write_text("")
    assert base(root, own) == (scope.parent, str(scope.parent))
    group = ControlGroup(scope.parent, memory_bytes=1 << 20, process_count=5)
    assert (group.path / "memory.max").read_text() == "1048576"
    assert (group.path / "pids.max").read_text() == "5"
    started = subprocess.run(
        group.entered(["sh", "-c", "echo $$"]), capture_output=True, text=True, check=True
    )
    assert (group.path / "cgroup.procs").read_text() == started.stdout


def test_without_bubblewrap_nothing_is_run(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="apt-get install bubblewrap"):
        check_sandbox()


def test_where_the_kernel_refuses_the_reason_is_told(monkeypatch, tmp_path):
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    with pytest.raises(SandboxError, match="No permissions to create new namespace"):
        check_sandbox()


def test_where_namespaces_may_not_be_nested_no_program_is_run():
    """bubblewrap alone would do, and hold programs apart from the machine only."""
    script = (
        "from inference.errors import SandboxError\n"
        "from inference.measuring.sandbox import check_sandbox\n"
        "try: check_sandbox()\nexcept SandboxError as error: print(error)"
    )
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0:
        pytest.skip("no unshare, or not root")
    closed = f'echo 0 > /proc/sys/user/max_user_namespaces && exec {sys.executable} -c "$0"'
    result = subprocess.run(
        [unshare, "--user", "--map-root-user", "--mount", "sh", "-c", closed, script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be built on this machine" in result.stdout, result
    assert "new namespaces" in result.stdout


def test_this_machine_can_run_programs():
    check_sandbox()


def test_outside_a_sandbox_the_worker_refuses(tmp_path):
    """It kills and removes whatever it finds; on a machine that would be everything."""
    bystander = subprocess.Popen(["sleep", "60"])
    result = subprocess.run(
        [sys.executable, "-I", str(WORKER)],
        input='{"program": "pass", "limits": {}}',
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 1
    assert "nowhere else" in result.stderr
    assert bystander.poll() is None
    bystander.terminate()
    bystander.wait()


def test_a_completion_is_cut_where_the_reference_cuts_it():
    fields = {
        "prompt": "def f(x):\n",
        "test": "def check(c):\n    assert c(1) == 2",
        "entry_point": "f",
    }
    program = program_of(fields, "    return x + 1\n\nprint(f(1))\ndef g(): pass")
    assert program == (
        "def f(x):\n    return x + 1\n\n\ndef check(c):\n    assert c(1) == 2\ncheck(f)"
    )
    with Sandbox(SHORT, worker_count=1) as sandbox:
        right, wrong = sandbox.run_all([program, program_of(fields, "    return x")])
    assert (right.outcome, wrong.outcome) == ("passed", "failed")


@pytest.mark.parametrize("form", [parts_of, program_of])
@pytest.mark.parametrize("benchmark_id", ["humaneval", "jhumaneval"])
def test_every_solution_of_the_benchmark_itself_passes(benchmark_id, form, cache):
    """And none of their prompts does with an empty body."""
    benchmark = read_benchmark(benchmark_id)
    items = read_items(benchmark, cached_files(benchmark, cache)).test
    assert len(items) == 164
    with Sandbox() as sandbox:
        right = list(sandbox.run_all(form(item.fields, item.target) for item in items))
        wrong = list(sandbox.run_all(form(item.fields, "    pass") for item in items))
    failing = [
        item.item_id
        for item, result in zip(items, right, strict=True)
        if result.outcome != "passed"
    ]
    # Its prompt lacks a line break, upstream.
    assert failing == (["JHumanEval/64"] if benchmark_id == "jhumaneval" else [])
    assert {result.outcome for result in wrong} == {"failed"}


@pytest.mark.parametrize("benchmark_id", ["humaneval", "jhumaneval"])
def test_every_solution_of_the_demonstration_passes(benchmark_id):
    benchmark = read_benchmark(benchmark_id)
    items = read_items(benchmark, demo_files(benchmark)).test
    assert len(items) >= 8
    with Sandbox() as sandbox:
        results = list(sandbox.run_all(parts_of(item.fields, item.target) for item in items))
    assert {result.outcome for result in results} == {"passed"}
