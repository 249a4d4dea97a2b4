"""Messages: values between the process that runs a completion and the one that checks it.

Each is a pickle of plain values, with its length before it. What comes from a completion is not to
be trusted: the checking process takes built-in types only, of exactly that type, and makes nothing
else of a message, whatever it says. An object of any other kind stays where it is; the checks get a
`Remote` of it, which can be called and asked for attributes, and is equal to nothing but itself. So
no method of a completion, such as `__eq__`, ever runs where its result is judged.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import importlib
import io
import marshal
import os
import pickle
import sys
import types

# By these names, which a completion does not put others in the places of.
from os import read, write
from typing import Any, NoReturn

MESSAGE_BYTES = 256 << 20
NUMBER_BYTES, LENGTH_BYTES = 8, 8
HEADER_BYTES = NUMBER_BYTES + LENGTH_BYTES
FIRST = bytes(NUMBER_BYTES)
"""The number of what a completion says before it is asked: that it is there."""

PLAIN = (bool, int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset, type(None))


MODULES = (
    *("bisect", "cmath", "collections", "copy", "decimal", "fractions", "functools", "heapq"),
    *("itertools", "math", "operator", "re", "statistics", "string", "typing"),
)
"""Modules without a state of their own, which are the same on both sides."""


class MessageError(Exception):
    """A message that cannot be read, or is too long."""


class Ended(BaseException):
    """The other process is not there any more. No error that checks might expect."""


def send(descriptor: int, number: bytes, payload: bytes) -> None:
    """Write a message; `number` is that of the question, which an answer has to know."""
    content = memoryview(number + len(payload).to_bytes(LENGTH_BYTES, "big") + payload)
    while content:
        content = content[write(descriptor, content) :]


def receive(descriptor: int) -> tuple[bytes, bytes]:
    """The number and content of the next message, which nothing follows before it is answered.

    Raises:
        Ended: there is none and will be none.
        MessageError: it is longer than a message may be, or another follows it.
    """
    content = bytearray(_piece(descriptor, 1 << 16))
    while len(content) < HEADER_BYTES:
        content += _piece(descriptor, 1 << 16)
    length = int.from_bytes(content[NUMBER_BYTES:HEADER_BYTES], "big")
    if length > MESSAGE_BYTES:
        raise MessageError("it answered with more than can be taken")
    left = HEADER_BYTES + length - len(content)
    while left > 0:
        piece = _piece(descriptor, min(left, 1 << 20))
        content += piece
        left -= len(piece)
    if left:
        raise MessageError("it answered more than it was asked")
    return bytes(content[:NUMBER_BYTES]), bytes(content[HEADER_BYTES:])


def _piece(descriptor: int, length: int) -> bytes:
    piece = read(descriptor, length)
    if not piece:
        raise Ended
    return piece


class _Writer(pickle.Pickler):
    """Writes other objects than plain ones as tags, of which the other side makes values again."""

    def __init__(self, file: io.BytesIO, kept: list[object] | None) -> None:
        super().__init__(file, 5)
        self._kept = kept

    def reducer_override(self, value: Any) -> Any:
        if value is restored:
            return NotImplemented
        return restored, tagged(value, self._kept)


def pickled(message: tuple[Any, ...], kept: list[object] | None) -> bytes:
    """A message; `kept` takes objects of it that stay here, and is null for the checks.

    Raises:
        TypeError: checks pass what only they can have.
    """
    file = io.BytesIO()
    _Writer(file, kept).dump(message)
    return file.getvalue()


def tagged(value: Any, kept: list[object] | None) -> tuple[Any, ...]:
    """A kind and what makes a value of it again; `kept` as for `pickled`."""
    kind = type(value)
    if issubclass(kind, Remote):
        return "remote", value._target
    if kind is complex:
        return "complex", value.real, value.imag
    if kind is range:
        return "range", value.start, value.stop, value.step
    if kind is fractions.Fraction:
        return "fraction", value.numerator, value.denominator
    if kind is decimal.Decimal:
        return "decimal", str(value)
    if kind is collections.deque:
        return "deque", list(value), value.maxlen
    if kind is datetime.date:
        return "date", value.year, value.month, value.day
    if kind is datetime.timedelta:
        return "timedelta", value.days, value.seconds, value.microseconds
    if kind is datetime.datetime and value.tzinfo is None:
        return "datetime", *value.timetuple()[:6], value.microsecond
    if hasattr(kind, "__next__") and kept is not None:
        kept.append(value)
        return "iterator", len(kept) - 1
    if kind is type({}.keys()):
        return "keys", list(value)
    if kind is type({}.items()):
        return "items", list(value)
    if kind is type({}.values()):
        return "values", list(value)
    if kind is type and vars(sys.modules["builtins"]).get(value.__name__) is value:
        return "type", value.__name__
    if kind is types.ModuleType and value.__name__ in MODULES:
        return "module", value.__name__
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return "named", list(kind._fields), list(tuple.__iter__(value))
    # An object of a class that was made from a plain one is sent as what it was made from.
    for plain, copy in (
        (str, lambda: str.__getitem__(value, slice(None))),
        (int, lambda: int.__add__(value, 0)),
        (float, lambda: float.__add__(value, 0.0)),
        (bytes, lambda: bytes.__getitem__(value, slice(None))),
        (list, lambda: list(list.__iter__(value))),
        (tuple, lambda: tuple(tuple.__iter__(value))),
        (dict, lambda: dict(dict.items(value))),
        (set, lambda: set(set.__iter__(value))),
        (frozenset, lambda: frozenset(frozenset.__iter__(value))),
    ):
        if isinstance(value, plain):
            return "plain", copy()
    if kept is None:
        if kind is types.FunctionType and not value.__closure__:
            return "function", marshal.dumps(value.__code__), value.__defaults__
        raise TypeError(f"checks cannot pass a {kind.__name__} to a completion")
    kept.append(value)
    return "remote", len(kept) - 1


class _Restored:
    """Stands for values that have no form of their own in a message."""

    # Without attributes, which a message could set.
    __slots__ = ()

    def __reduce__(self) -> str:
        return "restored"

    def __call__(self, kind: str, *parts: Any) -> Any:
        match kind:
            case "complex":
                return complex(*parts)
            case "range":
                return range(*parts)
            case "fraction":
                return fractions.Fraction(*parts)
            case "decimal":
                return decimal.Decimal(*parts)
            case "deque":
                return collections.deque(*parts)
            case "date":
                return datetime.date(*parts)
            case "timedelta":
                return datetime.timedelta(*parts)
            case "datetime":
                return datetime.datetime(*parts)
            case "named":
                names, values = parts
                return collections.namedtuple("named", names, rename=True)(*values)
            case "keys":
                return dict.fromkeys(*parts).keys()
            case "items":
                return dict(*parts).items()
            case "values":
                return dict(enumerate(*parts)).values()
            case "type":
                return _builtin(*parts)
            case "module":
                return _module(*parts)
            case "plain":
                return parts[0] if type(parts[0]) in PLAIN else _unreadable(kind)
            case _:
                return _unreadable(kind)


restored = _Restored()


def _unreadable(what: object) -> NoReturn:
    raise MessageError(f"it answered with what cannot be read: {what!r}")


def _builtin(name: str) -> type:
    found = vars(sys.modules["builtins"]).get(name)
    return found if type(found) is type else _unreadable(name)


def _module(name: str) -> types.ModuleType:
    return importlib.import_module(name) if name in MODULES else _unreadable(name)


class Remote:
    """An object in the completion's process."""

    def __init__(self, link: Link, target: str | int) -> None:
        self._link = link
        self._target = target

    def __call__(self, *values: Any, **named: Any) -> Any:
        """What a call of it returns there; lists and the like that it changes are changed here."""
        return self._link.call(self._target, values, named)

    def __getattr__(self, name: str) -> Any:
        """Its attribute."""
        return self._link.ask("attribute", self._target, name)


class RemoteIterator(Remote):
    """An iterator there, whose items are taken one by one."""

    def __iter__(self) -> RemoteIterator:
        """Itself."""
        return self

    def __next__(self) -> Any:
        """The next item."""
        return self._link.ask("next", self._target)


class _Answers(pickle.Unpickler):
    """Reads what a completion sent, in the process that checks it."""

    def __init__(self, file: io.BytesIO, link: Link) -> None:
        super().__init__(file)
        self._link = link

    def find_class(self, module: str, name: str) -> Any:
        if name != "restored":
            _unreadable(name)
        return self._restored

    def _restored(self, kind: str, *parts: Any) -> Any:
        kinds = {"remote": Remote, "iterator": RemoteIterator}
        if kind in kinds and len(parts) == 1 and type(parts[0]) is int:
            return kinds[kind](self._link, parts[0])
        return restored(kind, *parts)


class Link:
    """The checks' end: what the completion's process is asked."""

    def __init__(self, calls: int, answers: int) -> None:
        """`calls` is written to, `answers` read."""
        self._calls = calls
        self._answers = answers
        self._number = FIRST
        self.raised: tuple[BaseException, str] | None = None
        """The last exception that came from there, and how it is shown there."""

    def ask(self, *question: Any) -> Any:
        """The answer to a question; raises what was raised there."""
        self._send(pickled(question, None))
        return self.answer()[0]

    def call(self, target: str | int, values: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What a call returns there; containers among its values are what they are there after."""
        self._send(pickled(("call", target, values, named), None))
        result, after = self.answer()
        for mine, theirs in zip(values, after, strict=True):
            if result is theirs:
                result = mine
            _become(mine, theirs)
        return result

    def _send(self, question: bytes) -> None:
        # Not to be guessed, so that no answer is written before its question.
        self._number = os.urandom(NUMBER_BYTES)
        send(self._calls, self._number, question)

    def answer(self) -> tuple[Any, Any]:
        """The next answer: a value, and the values of the call that it was."""
        number, content = receive(self._answers)
        if number != self._number:
            raise MessageError("it answered what it was not asked")
        kind, *parts = _Answers(io.BytesIO(content), self).load()
        if kind == "value":
            value, after = parts
            return value, after
        name, values, text = parts
        error = _exception(name, values, text)
        self.raised = error, str(text)
        raise error


def _become(mine: Any, theirs: Any) -> None:
    """Give a container of the checks the contents that the completion gave its copy."""
    if type(mine) is not type(theirs):
        return
    if type(mine) in (list, bytearray):
        mine[:] = theirs
    elif type(mine) in (dict, set):
        mine.clear()
        mine.update(theirs)


def _exception(name: str, values: tuple[Any, ...], text: str) -> BaseException:
    kind = vars(sys.modules["builtins"]).get(name)
    if isinstance(kind, type) and issubclass(kind, BaseException):
        try:
            return kind(*values)
        except (TypeError, ValueError):
            pass
    return RuntimeError(text)
