"""Completion: the process that runs what a model wrote, and answers the checks' calls.

Nothing of it is trusted once the text runs. It never sees the checks, holds no descriptor but two
pipes to the process that has them, and is the first process of a namespace of its own.
"""

from __future__ import annotations

import io
import marshal
import pickle
import sys
import traceback
import types
from typing import Any, NoReturn

from inference.measuring.inside import messages
from inference.measuring.inside.messages import ERROR_CHARACTERS, restored
from inference.measuring.inside.namespaces import leave

CALLS, ANSWERS = 3, 4
"""Descriptors; the standard ones are /dev/null."""


def error_text(error: BaseException) -> str:
    """How Python shows an exception, its end if it is long."""
    try:
        return "".join(traceback.format_exception_only(error)).strip()[-ERROR_CHARACTERS:]
    # Showing it is the program's own code.
    except BaseException:
        return "an exception that cannot be shown"


def run() -> NoReturn:
    """Say that all is ready, run the text that comes, then answer until the process is ended."""
    # The names may stand for something else once the text has run.
    anything, send, receive, shown = BaseException, messages.send, messages.receive, error_text
    answered, raised, at_least = messages.answered, messages.raised, messages.raised_at_least
    kept: list[object] = []

    def find(target: str | int) -> Any:
        if isinstance(target, int):
            return kept[target]
        if target not in names:
            raise NameError(f"name {target!r} is not defined")
        return names[target]

    class Questions(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            return made

    def made(kind: str, *parts: Any) -> Any:
        if kind == "remote":
            return find(*parts)
        if kind == "function":
            code, defaults = parts
            return types.FunctionType(marshal.loads(code), names, None, defaults)
        return restored(kind, *parts)

    def answer(kind: str, target: str | int, *parts: Any) -> Any:
        if kind == "run":
            # None of this file's own `from __future__`.
            exec(compile(str(target), "<program>", "exec", dont_inherit=True), names)
            return None
        if kind == "attribute":
            return getattr(find(target), *parts)
        if kind == "name":
            return find(target)
        if kind == "next":
            return next(find(target))
        values, named = parts
        return find(target)(*values, **named)

    names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    sys.argv = [""]
    send(ANSWERS, messages.FIRST, answered(None, (), {}, kept))
    while True:
        try:
            number, question = receive(CALLS)
        except anything:
            leave(1)
        values: tuple[Any, ...] = ()
        named: dict[str, Any] = {}
        try:
            parts = Questions(io.BytesIO(question)).load()
            if parts[0] == "call":
                values, named = parts[2:]
            content = answered(answer(*parts), values, named, kept)
        except anything as error:
            text = shown(error)
            try:
                content = raised(error, text, values, named, kept)
            except anything:
                content = at_least(error, text)
        try:
            send(ANSWERS, number, content)
        except anything:
            leave(1)
