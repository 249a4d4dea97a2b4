"""Messages: values between the process that runs a completion and the one that checks it.

A question of the checks is a pickle of plain values, with its length before it. What comes from a
completion is not to be trusted, and is no pickle: see `answers`. An object of any other kind than a
plain one stays where it is; the checks get a `Remote` of it, which can be called and asked for
attributes, and is equal to nothing but itself. So no method of a completion, such as `__eq__`, ever
runs where its result is judged.

What is different from a check in the same process is listed in SECURITY.md.
"""

from __future__ import annotations

import builtins
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
from typing import Any

from inference.measuring.inside import answers
from inference.measuring.inside.answers import MessageError, Named

MESSAGE_BYTES = 256 << 20
NUMBER_BYTES, LENGTH_BYTES = 8, 8
HEADER_BYTES = NUMBER_BYTES + LENGTH_BYTES
FIRST = bytes(NUMBER_BYTES)
"""The number of what a completion says before it is asked: that it is there."""

CHANGEABLE = (
    *(list, dict, set, bytearray, collections.deque, collections.Counter),
    *(collections.OrderedDict, collections.defaultdict),
)
"""What a call may change, of exactly these types."""

EXCEPTIONS = {
    kind: name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, BaseException) and kind.__name__ == name
}
"""Built-in ones, by which others are told."""

ERROR_CHARACTERS = 500
"""Of what is said of an exception, its end."""

MODULES = (
    *("bisect", "cmath", "collections", "copy", "decimal", "fractions", "functools", "heapq"),
    *("itertools", "math", "operator", "re", "statistics", "string", "typing"),
)
"""Modules without a state of their own, which are the same on both sides."""


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

    def reducer_override(self, value: Any) -> Any:
        if value is restored:
            return NotImplemented
        return restored, tagged(value, None)


def question(*parts: Any) -> bytes:
    """A question of the checks, to be read by what trusts them.

    Raises:
        TypeError: checks pass what only they can have.
    """
    file = io.BytesIO()
    _Writer(file, 5).dump(parts)
    return file.getvalue()


def answered(
    value: Any, values: tuple[Any, ...], named: dict[str, Any], kept: list[object]
) -> bytes:
    """What a call returned; `kept` takes objects of it that stay here."""
    for key, one in (*enumerate(values), *named.items()):
        if one is value and not isinstance(value, tuple):
            return _answer(["same", key, _changed(values, named)], kept)
    return _answer(["value", value, _changed(values, named)], kept)


def raised(
    error: BaseException,
    text: str,
    values: tuple[Any, ...],
    named: dict[str, Any],
    kept: list[object],
) -> bytes:
    """What a call raised: as what built-in exceptions it can be caught, and how it is shown."""
    kinds = [EXCEPTIONS[kind] for kind in type.mro(type(error)) if kind in EXCEPTIONS]
    return _answer(["raised", kinds, list(error.args), text, _changed(values, named)], kept)


def raised_at_least(error: BaseException, text: str) -> bytes:
    """As `raised`, where its own values cannot be said."""
    kinds = [EXCEPTIONS[kind] for kind in type.mro(type(error)) if kind in EXCEPTIONS]
    return _answer(["raised", kinds, [], text, [[], []]], [])


def _changed(values: tuple[Any, ...], named: dict[str, Any]) -> list[list[Any]]:
    """Which arguments a call may have changed, and what they are after it."""
    pairs = [
        (key, one) for key, one in (*enumerate(values), *named.items()) if type(one) in CHANGEABLE
    ]
    return [[key for key, _ in pairs], [one for _, one in pairs]]


def _answer(message: list[Any], kept: list[object]) -> bytes:
    return answers.written(message, lambda value: tagged(value, kept))


def tagged(value: Any, kept: list[object] | None) -> tuple[Any, ...]:
    """A kind and what makes a value of it again; `kept` as for `pickled`."""
    kind = type(value)
    if issubclass(kind, Remote):
        return "remote", value._target
    if kind is Named:
        return "named", list(value._fields), list(value)
    if kind is complex:
        return "complex", value.real, value.imag
    if kind is range:
        return "range", value.start, value.stop, value.step
    if kind is slice and {type(one) for one in (value.start, value.stop, value.step)} <= {
        int,
        type(None),
    }:
        return "slice", value.start, value.stop, value.step
    if value is ...:
        return ("ellipsis",)
    if kind is fractions.Fraction:
        return "fraction", value.numerator, value.denominator
    if kind is decimal.Decimal:
        return "decimal", str(value)
    if kind is collections.deque:
        return "deque", list(value), value.maxlen
    if kind is datetime.date:
        return "date", value.year, value.month, value.day
    if kind is datetime.time and value.tzinfo is None:
        return "time", value.hour, value.minute, value.second, value.microsecond
    if kind is collections.Counter:
        return "counter", list(value), list(value.values())
    if kind is collections.OrderedDict:
        return "ordered", list(value), list(value.values())
    if kind is collections.defaultdict:
        return "defaulting", list(value), list(value.values())
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
        return "items", [key for key, _ in value], [one for _, one in value]
    if kind is type({}.values()):
        return "values", list(value)
    if kept is None and kind is type and vars(sys.modules["builtins"]).get(value.__name__) is value:
        return "type", value.__name__
    if kept is None and kind is types.ModuleType and value.__name__ in MODULES:
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
    """Stands for values of a question that have no form of their own in a pickle."""

    def __reduce__(self) -> str:
        return "restored"

    def __call__(self, kind: str, *parts: Any) -> Any:
        match kind:
            case "plain":
                return parts[0]
            case "named":
                names, values = parts
                return collections.namedtuple("named", names, rename=True)(*values)
            case "type":
                return vars(builtins)[parts[0]]
            case "module":
                return importlib.import_module(parts[0])
            case "keys" | "values":
                return answers.GROUPS[kind](*parts)
            case _:
                _, make = answers.KINDS[kind]
                return make(*parts)


restored = _Restored()


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


class Link:
    """The checks' end: what the completion's process is asked."""

    def __init__(self, calls: int, answers: int) -> None:
        """`calls` is written to, `answers` read."""
        self._calls = calls
        self._answers = answers
        self._number = FIRST
        self.raised: tuple[BaseException, str] | None = None
        """The last exception that came from there, and how it is shown there."""

    def ask(self, *parts: Any) -> Any:
        """The answer to a question; raises what was raised there."""
        self._send(question(*parts))
        return self.answer()

    def call(self, target: str | int, values: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What a call returns there; containers among its values are what they are there after."""
        self._send(question("call", target, values, named))
        return self.answer(values, named)

    def _send(self, content: bytes) -> None:
        # Not to be guessed, so that no answer is written before its question.
        self._number = os.urandom(NUMBER_BYTES)
        send(self._calls, self._number, content)

    def answer(self, values: tuple[Any, ...] = (), named: dict[str, Any] | None = None) -> Any:
        """The value of the next answer, which is to a call with such values.

        Raises:
            MessageError: it is no answer.
            BaseException: what was raised there.
        """
        number, content = receive(self._answers)
        if number != self._number:
            raise MessageError("it answered what it was not asked")
        arguments: dict[int | str, Any] = dict(enumerate(values))
        for name, one in (named or {}).items():
            arguments[name] = one
        match answers.read(content, self._stand_in):
            case ["value", value, [list(keys), list(after)]]:
                _change(arguments, keys, after)
                return value
            case ["same", int() | str() as key, [list(keys), list(after)]]:
                _change(arguments, keys, after)
                return _argument(arguments, key)
            case ["raised", list(names), list(parts), str(text), [list(keys), list(after)]]:
                _change(arguments, keys, after)
                error = _exception(names, parts, text[-ERROR_CHARACTERS:])
                self.raised = error, text[-ERROR_CHARACTERS:]
                raise error
            case _:
                raise MessageError("it answered with what is no answer")

    def _stand_in(self, kind: str, number: int) -> Remote:
        return (RemoteIterator if kind == "iterator" else Remote)(self, number)


def _change(arguments: dict[int | str, Any], keys: list[Any], after: list[Any]) -> None:
    """Give containers of the checks the contents that the completion gave its copies."""
    if len(keys) != len(after):
        raise MessageError("it answered with what is no answer")
    for key, theirs in zip(keys, after, strict=True):
        mine = _argument(arguments, key)
        if type(mine) is not type(theirs):
            continue
        if type(mine) in (list, bytearray):
            mine[:] = theirs
        elif type(mine) in CHANGEABLE:
            mine.clear()
            (mine.extend if type(mine) is collections.deque else mine.update)(theirs)


def _argument(arguments: dict[int | str, Any], key: object) -> Any:
    if not isinstance(key, int | str) or key not in arguments:
        raise MessageError("it answered of an argument that it was not given")
    return arguments[key]


def _exception(names: list[Any], parts: list[Any], text: str) -> BaseException:
    """The nearest built-in exception that can be made of such parts."""
    kinds = {name: kind for kind, name in EXCEPTIONS.items()}
    for name in names:
        if not isinstance(name, str) or name not in kinds:
            break
        try:
            return kinds[name](*parts)
        except (TypeError, ValueError):
            pass
    return RuntimeError(text)
