"""Credentials: what opens a server, kept apart from what is stored and shown."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from inference.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterable

API_KEY = "EVALWH_API_KEY"
"""Environment variable of the token that is sent to every server as `Authorization: Bearer`."""

HIDDEN = "***"

LONGEST_ARGUMENT = 1000
"""Characters of what is kept of how a server or a harness was started."""

SHORTEST_BEGINNING = 3
"""Characters of a secret that say something of it."""

USER_INFORMATION = re.compile(r"(?<=://)[^/\s]*@")
"""User and password within an address within a text."""

ESCAPE = re.compile(r'(?:%[0-9a-fA-F]{2})+|(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt]')
"""Characters as addresses and JSON spell them."""

CUT_ESCAPE = re.compile(r"[\x80-\xff]{0,3}(?:%[0-9a-fA-F]?|\\(?:u[0-9a-fA-F]{0,3})?)?$")
"""What may be left at the end of a text that was cut within a character: bytes of it, as Latin-1,
and a part of an escape."""

SPELLINGS = 3
"""How often a text may have been spelt anew, as an address within JSON within JSON."""


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Where a server is, and what opens it."""

    url: str
    """Without user and password: this is what is stored and shown."""
    authorization: str | None
    """Value of the header; null for none."""
    secrets: tuple[str, ...]
    """What must not be stored or shown, in every form in which a server could say it."""


def address_of(endpoint: str, api_key: str | None = None) -> Address:
    """The address that `endpoint` names; its own user and password go before the token.

    Raises:
        RunError: it is no address of a server, or the token cannot be sent. Neither is shown.
    """
    api_key = (api_key or "").strip()
    if not (api_key.isascii() and api_key.isprintable()):
        raise RunError(
            f"{API_KEY} has line breaks or characters that no header can have; it is not shown"
        )
    try:
        parts = urlsplit(endpoint.strip())
        is_address = bool(parts.scheme in ("http", "https") and parts.hostname)
        # Raises where there is no number.
        is_address = parts.port != 0 and is_address
    except ValueError:
        is_address = False
    # A password with an unquoted / or ? would be taken for the path.
    if not is_address or parts.query or parts.fragment or "@" in parts.path:
        raise RunError(
            "an endpoint is http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with special"
            " characters percent-encoded; what was given is not, and may have a password in it, so"
            " that it is not shown"
        )
    user, separator, host = parts.netloc.rpartition("@")
    url = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
    if separator:
        pair = unquote(user)
        encoded = base64.b64encode(pair.encode()).decode()
        own = {user.partition(":")[2] or user, pair.partition(":")[2] or pair, user, pair, encoded}
        return Address(url, f"Basic {encoded}", longest_first({*own, api_key}))
    return Address(url, f"Bearer {api_key}" if api_key else None, longest_first({api_key}))


def shown(endpoint: str) -> str:
    """The address as it is stored and shown: without user and password.

    Raises:
        RunError: it is no address of a server.
    """
    return address_of(endpoint).url


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` without the secrets, and without user and password of any address in it.

    Characters of a secret, some or all, may be spelt as in an address (%2F, + for a space) or as in
    JSON (a backslash, u and four digits), or one in the other. What a server said is cut after some
    hundred bytes: the beginning of a secret at the end of the text is hidden, too.
    """
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
        for plus in ("+", " ") if "+" in text else ("+",):
            text = _hide_spellings(text, secret, plus)
    return USER_INFORMATION.sub("", text)


def longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    """The secrets in the order in which they are to be hidden, so that no rest of one stays.

    With each in Base64 too, which headers have.
    """
    plain = set(secrets) - {""}
    encoded = {
        encode(one.encode(errors="surrogateescape")).decode().rstrip("=")
        for one in plain
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
    }
    return tuple(sorted(plain | encoded, key=lambda one: (-len(one), one)))


def _hide_spellings(text: str, secret: str, plus: str) -> str:
    plain, starts = _spelt_out(text.replace("+", plus))
    kept, at = [], 0
    while (found := plain.find(secret, at)) >= 0:
        kept += [text[starts[at] : starts[found]], HIDDEN]
        at = found + len(secret)
    end = len(CUT_ESCAPE.sub("", plain))
    for size in range(min(len(secret) - 1, end - at), SHORTEST_BEGINNING - 1, -1):
        if plain.endswith(secret[:size], at, end):
            return "".join([*kept, text[starts[at] : starts[end - size]], HIDDEN])
    return "".join([*kept, text[starts[at] :]])


def _spelt_out(text: str) -> tuple[str, list[int]]:
    """The text without escapes, and where in `text` each of its characters, and its end, begins."""
    starts = list(range(len(text) + 1))
    for _ in range(SPELLINGS):
        if "%" not in text and "\\" not in text:
            break
        pieces, places, at = [], [], 0
        for escape in ESCAPE.finditer(text):
            characters, sizes = _characters(escape[0])
            pieces += [text[at : escape.start()], characters]
            places += starts[at : escape.start()]
            place = escape.start()
            for size in sizes:
                places.append(starts[place])
                place += size
            at = escape.end()
        if not pieces:
            break
        text = "".join([*pieces, text[at:]])
        starts = places + starts[at:]
    return text, starts


def _characters(escape: str) -> tuple[str, list[int]]:
    """What some escapes of one kind spell, and of how many characters each is spelt."""
    if escape.startswith("%"):
        written = bytes.fromhex(escape.replace("%", ""))
        size = len("%2F")
        try:
            found, rest = written.decode(), ""
        except UnicodeDecodeError as error:
            found = written[: error.start].decode()
            rest = written[error.start :].decode("latin-1")
        sizes = [size * len(character.encode()) for character in found]
        return found + rest, sizes + [size] * len(rest)
    found = json.loads(f'"{escape}"')
    size = len("\\u002f") if escape.startswith("\\u") else len(escape)
    return found, [size * (2 if ord(character) > 0xFFFF else 1) for character in found]
