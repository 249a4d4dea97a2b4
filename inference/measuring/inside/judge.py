"""Judge: the process that runs a program's checks, and says whether it passed.

It is the first process of a program's namespaces and makes one child, which runs what the model
wrote. The checks come here after that child was made, so no memory of it holds them; here they
call the completion's functions by messages. A completion can answer wrongly, and then it fails; it
has no descriptor, no process and no memory that a verdict could be written to.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
import signal
from typing import TYPE_CHECKING, Any, NoReturn

from inference.measuring.inside import completion, namespaces
from inference.measuring.inside.answers import MessageError
from inference.measuring.inside.completion import ANSWERS, CALLS, error_text
from inference.measuring.inside.endings import BEFORE_ITS_LAST_LINE, ending
from inference.measuring.inside.messages import ERROR_CHARACTERS, Ended, Link, Remote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType, FrameType

CHECK = "check"


def judge(settings: Mapping[str, Any], requests: int, reports: int) -> NoReturn:
    """Take one program from `requests`, and report to `reports` what became of it."""

    def report(**what: str) -> None:
        short = {name: text[-ERROR_CHARACTERS:] for name, text in what.items()}
        os.write(reports, json.dumps(short).encode() + b"\n")

    try:
        namespaces.furnish(settings["scratch_bytes"])
        namespaces.hide_from_children()
        # For this process and its child: the checks are to do no harm either.
        namespaces.restrict(settings["resources"], bytes.fromhex(settings["filter"]))
        signal.signal(signal.SIGCHLD, _on_end)
        child, link = _completion()
        link.answer()
    except (OSError, Ended, MessageError) as error:
        report(state="broken", error_head=error_text(error))
        namespaces.leave(1)
    report(state="idle")
    line = _line(requests)
    if not line:
        report(state="over")
        namespaces.leave(0)
    report(state="started")
    try:
        verdict = _verdict(json.loads(line), link)
        if verdict["outcome"] == "passed" and os.waitpid(child, os.WNOHANG)[0]:
            # It ended behind the back of checks that hide every exception.
            verdict = {"outcome": "failed", "error_head": BEFORE_ITS_LAST_LINE}
    except Ended:
        _, status, usage = os.wait4(child, 0)
        verdict = ending(status, usage, settings["resources"]["RLIMIT_CPU"])
    report(**verdict)
    namespaces.leave(0)


def _on_end(number: int, frame: FrameType | None) -> NoReturn:
    """Nothing more comes from the completion, though a child of its own may hold the pipe open."""
    raise Ended


def _completion() -> tuple[int, Link]:
    """The process of the completion, and the way to it."""
    calls_read, calls_write = os.pipe()
    answers_read, answers_write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # Above the numbers that they are to have, whatever those are now.
            ends = [os.dup(os.dup(os.dup(end))) for end in (calls_read, answers_write)]
            os.dup2(ends[0], CALLS)
            os.dup2(ends[1], ANSWERS)
            os.closerange(ANSWERS + 1, 4096)
            # Signals to its group are not for the judge. In a session of its own, it and its
            # children would have more than one program's share of the processors.
            os.setpgid(0, 0)
            completion.run()
        finally:
            namespaces.leave(1)
    os.close(calls_read)
    os.close(answers_write)
    return child, Link(calls_write, answers_read)


def _line(requests: int) -> bytes:
    """The next line; empty where there is none. Only one is written before its verdict is read."""
    content = bytearray()
    while not content.endswith(b"\n"):
        piece = os.read(requests, 1 << 16)
        if not piece:
            return b""
        content += piece
    return bytes(content)


def _verdict(program: dict[str, str], link: Link) -> dict[str, str]:
    try:
        if "text" in program:
            _run_text(program["text"], link)
        else:
            _run_parts(program, link)
    except Ended:
        raise
    # Whatever checks raise: SystemExit, too, is no pass.
    except BaseException as error:
        raised = link.raised
        text = raised[1] if raised is not None and raised[0] is error else error_text(error)
        outcome = "killed_memory" if isinstance(error, MemoryError) else "failed"
        return {"outcome": outcome, "error_head": text or BEFORE_ITS_LAST_LINE}
    return {"outcome": "passed", "error_head": ""}


def _run_parts(program: dict[str, str], link: Link) -> None:
    """A program whose checks are told apart from the completion."""
    link.ask("run", program["answer"])
    entry_point = program["entry_point"]
    # The checks may use what the task defines, not what a completion makes of it.
    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    exec(_given(program["given"]), names)
    names[entry_point] = Remote(link, entry_point)
    checks = compile(program["checks"], "<checks>", "exec", dont_inherit=True)
    exec(checks, names)


def _given(text: str) -> CodeType:
    """What a task defines: all of it, or as many lines as make whole statements.

    A task may end within what it wants completed, such as behind the first line of a function.
    """
    lines = text.splitlines(keepends=True)
    while True:
        try:
            return compile("".join(lines), "<program>", "exec", dont_inherit=True)
        except SyntaxError:
            del lines[-1]


def _run_text(text: str, link: Link) -> None:
    """A program in one piece: the assertions that it ends in are its checks.

    So is a function `check` among them and the call of it. They see the names that the rest
    defines, by messages.
    """
    body = ast.parse(text).body
    first = len(body)
    while first and _is_check(body[first - 1]):
        first -= 1
    checks = body[first:]
    content = text.encode()
    lines = content.splitlines(keepends=True)
    if checks:
        begin = sum(map(len, lines[: checks[0].lineno - 1])) + checks[0].col_offset
        content = content[:begin]
    link.ask("run", content.decode())
    defined = {name for one in body[:first] for name in _names(one)}
    names = {"__name__": "__main__", "__builtins__": _Names(link, defined)}
    exec(compile(ast.Module(checks, []), "<checks>", "exec", dont_inherit=True), names)


def _is_check(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef):
        return statement.name == CHECK
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        return isinstance(function, ast.Name) and function.id == CHECK
    return isinstance(statement, ast.Assert)


def _names(statement: ast.stmt) -> set[str]:
    """What a statement may define, by its own text."""
    found = set()
    for node in ast.walk(statement):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
            case ast.alias():
                found.add((node.asname or node.name).partition(".")[0])
    return found


class _Names(dict[str, Any]):
    """Built-in names, and before them those that the completion's text defines."""

    def __init__(self, link: Link, defined: set[str]) -> None:
        super().__init__(vars(builtins))
        self._link = link
        for name in defined:
            self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        value = self._link.ask("name", name)
        # By its name a function is found anew if the completion puts another in its place.
        return Remote(self._link, name) if type(value) is Remote else value
