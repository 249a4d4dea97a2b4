"""Answers: what a completion says, as plain values that the process which checks it can trust.

An answer is JSON, with its length before it and the bits of many numbers behind it. Numbers,
texts, lists, truth values and null stand for themselves; an object with one key is a value of the
kind that the key names, made of the parts that follow. The kinds are the tables below and no
others: each makes a value of a built-in type from parts of exactly the types that it takes. There
is no kind that calls, looks up, imports or changes anything, and none that makes a class, module or
function.
"""

from __future__ import annotations

import array
import collections
import contextlib
import datetime
import decimal
import fractions
import json
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

SHORT_INTEGER = 1 << 64
"""From here on an integer is written by its hexadecimal digits, which are read in linear time."""

HEX_DIGITS = 1 << 24
"""Of the longest integer that is read."""


class MessageError(Exception):
    """A message that cannot be read, or is too long."""


class Named(tuple[Any, ...]):
    """A tuple whose items have names, as those of a named tuple have."""

    _fields: tuple[str, ...]

    def __getattr__(self, name: str) -> Any:
        """The item of that name."""
        fields = self.__dict__["_fields"]
        if name not in fields:
            raise AttributeError(name)
        return self[fields.index(name)]


def _integer(digits: str) -> int:
    return int(digits, 16) if len(digits) <= HEX_DIGITS else _unreadable("an integer")


def _named(names: list[Any], values: list[Any]) -> Named:
    if len(names) != len(values) or not all(type(n) is str and n.isidentifier() for n in names):
        _unreadable("names")
    made = Named(values)
    made._fields = tuple(names)
    return made


def _dictionary(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    return dict(zip(keys, values, strict=True))


NUMBER, PERHAPS = (int,), (int, type(None))
TEXT, LIST, ALONE = (str,), (list,), (float,)

KINDS: dict[str, tuple[tuple[tuple[type, ...], ...], Callable[..., Any]]] = {
    "int": ((TEXT,), _integer),
    "bytes": ((TEXT,), lambda text: text.encode("latin-1")),
    "bytearray": ((TEXT,), lambda text: bytearray(text.encode("latin-1"))),
    "complex": ((ALONE, ALONE), complex),
    "range": ((NUMBER, NUMBER, NUMBER), range),
    "slice": ((PERHAPS, PERHAPS, PERHAPS), slice),
    "ellipsis": ((), lambda: ...),
    "fraction": ((NUMBER, NUMBER), fractions.Fraction),
    "decimal": ((TEXT,), decimal.Decimal),
    "deque": ((LIST, PERHAPS), collections.deque),
    "date": ((NUMBER,) * 3, datetime.date),
    "time": ((NUMBER,) * 4, datetime.time),
    "timedelta": ((NUMBER,) * 3, datetime.timedelta),
    "datetime": ((NUMBER,) * 7, datetime.datetime),
    "named": ((LIST, LIST), _named),
    "dict": ((LIST, LIST), _dictionary),
    "counter": ((LIST, LIST), lambda *parts: collections.Counter(_dictionary(*parts))),
    "ordered": ((LIST, LIST), lambda *parts: collections.OrderedDict(_dictionary(*parts))),
    "defaulting": ((LIST, LIST), lambda *parts: collections.defaultdict(None, _dictionary(*parts))),
    "items": ((LIST, LIST), lambda *parts: _dictionary(*parts).items()),
}
"""Kinds whose parts are a few of the types shown."""

GROUPS: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "keys": lambda values: dict.fromkeys(values).keys(),
    "values": lambda values: dict(enumerate(values)).values(),
}
"""Kinds whose parts are the values they hold."""

MANY = 8
"""So many integers or floating-point numbers in a list are written by their 64 bits."""

ARRAYS = {"integers": (int, "q"), "floats": (float, "d")}
"""Kinds whose parts are where their bits are: the first byte, and how many there are."""

JSON_LENGTH_BYTES = 8

STAND_INS = ("remote", "iterator")
"""Kinds of what stays where it is, by its number there."""

ITSELF = frozenset((str, bool, float, type(None)))
"""Types that JSON has as they are."""

_encoded = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def _unreadable(what: object) -> NoReturn:
    raise MessageError(f"it answered with what cannot be read: {str(what)[:100]}")


def written(message: list[Any], tagged: Callable[[Any], tuple[Any, ...]]) -> bytes:
    """A message; `tagged` gives kind and parts of what has no form here."""
    writer = _Writer(tagged)
    # Surrogates as they are: escaped, two that follow each other would come back as one letter.
    content = _encoded(writer.form(message)).encode("utf-8", "surrogatepass")
    return len(content).to_bytes(JSON_LENGTH_BYTES, "big") + content + writer.bits


class _Writer:
    def __init__(self, tagged: Callable[[Any], tuple[Any, ...]]) -> None:
        self._tagged = tagged
        self.bits = bytearray()

    def form(self, value: Any) -> Any:
        """What stands for a value in JSON."""
        kind = type(value)
        if kind in ITSELF:
            return value
        if kind is int:
            return value if -SHORT_INTEGER < value < SHORT_INTEGER else {"int": [hex(value)]}
        if kind is list:
            return self._forms(value)
        if kind is dict:
            return {"dict": [self._forms(list(value)), self._forms(list(value.values()))]}
        if kind in (tuple, set, frozenset):
            return {kind.__name__: self._forms(list(value))}
        if kind in (bytes, bytearray):
            return {kind.__name__: [value.decode("latin-1")]}
        name, *parts = self._tagged(value)
        if name == "plain":
            return self.form(parts[0])
        return {name: self._forms(parts[0] if name in GROUPS else parts)}

    def _forms(self, values: list[Any]) -> Any:
        """The form of a list; whatever it is, a list is read from it."""
        kinds = set(map(type, values))
        if len(values) >= MANY:
            for name, (kind, code) in ARRAYS.items():
                # Integers of more bits go as others do.
                with contextlib.suppress(OverflowError):
                    if kinds == {kind}:
                        bits = array.array(code, values).tobytes()
                        self.bits += bits
                        return {name: [len(self.bits) - len(bits), len(bits)]}
        if kinds <= ITSELF:
            return values
        # A loop, for a comprehension would take twice the depth.
        forms = []
        for value in values:
            forms.append(self.form(value))
        return forms


def read(content: bytes, stand_in: Callable[[str, int], Any]) -> Any:
    """The message of `written`; `stand_in` makes what stands for an object that stayed there.

    Raises:
        MessageError: it is none.
    """
    behind = JSON_LENGTH_BYTES + int.from_bytes(content[:JSON_LENGTH_BYTES], "big")
    text, bits = content[JSON_LENGTH_BYTES:behind], memoryview(content)[behind:]

    def made(found: dict[str, Any]) -> Any:
        if len(found) != 1:
            _unreadable("an object of several kinds")
        ((kind, parts),) = found.items()
        if type(parts) is not list:
            _unreadable(kind)
        if kind in GROUPS:
            return GROUPS[kind](parts)
        if kind in STAND_INS:
            (number,) = parts
            return stand_in(kind, number) if type(number) is int else _unreadable(kind)
        if kind in ARRAYS:
            first, length = parts
            if not (type(first) is type(length) is int and 0 <= first <= first + length):
                _unreadable(kind)
            numbers: array.array[Any] = array.array(ARRAYS[kind][1])
            numbers.frombytes(bits[first : first + length])
            return numbers.tolist()
        if kind not in KINDS:
            _unreadable(kind)
        types, make = KINDS[kind]
        if len(parts) != len(types) or any(
            type(part) not in allowed for part, allowed in zip(parts, types, strict=True)
        ):
            _unreadable(kind)
        return make(*parts)

    try:
        return json.loads(text.decode("utf-8", "surrogatepass"), object_hook=made)
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise MessageError(f"it answered with what cannot be read: {str(error)[:100]}") from None
