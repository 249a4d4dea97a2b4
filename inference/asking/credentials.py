"""Credentials: what opens a server, kept apart from what is stored and shown."""

from __future__ import annotations

import base64
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

SHORTEST_BEGINNING = 3
"""Characters of a secret that say something of it."""

USER_INFORMATION = re.compile(r"(?<=://)[^/\s]*@")
"""User and password within an address within a text."""


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

    What a server said is cut after some hundred bytes: the beginning of a secret at the end of the
    text is hidden, too.
    """
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
        for size in range(len(secret) - 1, SHORTEST_BEGINNING - 1, -1):
            if text.endswith(secret[:size]):
                text = text[:-size] + HIDDEN
                break
    return USER_INFORMATION.sub("", text)


def longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    """The secrets in the order in which they are to be hidden, so that no rest of one stays."""
    return tuple(sorted(set(secrets) - {""}, key=lambda one: (-len(one), one)))
