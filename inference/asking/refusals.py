"""Refusals: what an HTTP answer without an answer means, and how much of one is read."""

from __future__ import annotations

import http
from typing import NoReturn

import aiohttp

from inference.credentials import API_KEY
from inference.errors import EndpointError

NETWORK_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)
"""What may happen between us and a server."""

LONGEST_DESCRIPTION = 4 << 20
"""Bytes that are read of what a server says of itself, or of a refusal."""

ABOUT_NO_PROMPT = frozenset({404, 405, 407, 410, 421, 426, 451, 511})
"""Refusals that other prompts would meet as well: they are not halved."""

HOW_TO_OPEN = (
    f"the server wants a token that it knows: put it into the environment variable {API_KEY}, or"
    " user and password into the endpoint"
)


class RefusedError(Exception):
    """One attempt of a call was refused by a living server."""

    def __init__(
        self, message: str, *, is_final: bool = False, is_about_prompts: bool = False
    ) -> None:
        super().__init__(message)
        self.is_final = is_final
        """Whether the very same call would be refused again."""
        self.is_about_prompts = is_about_prompts
        """Whether another choice of prompts might not be."""


class OverloadedError(Exception):
    """One attempt of a call was refused because the server has too much to do, or is not ready."""

    def __init__(self, message: str, *, is_ready: bool, wait_seconds: float) -> None:
        super().__init__(message)
        self.is_ready = is_ready
        self.wait_seconds = wait_seconds


class GoneError(Exception):
    """A server behind a gateway went away."""


def refuse(url: str, status: int, said: str, wait_seconds: float) -> NoReturn:
    """Say what an answer of the server at `url` without an answer means."""
    words = f"the server answered {status}: {said}"
    if status == http.HTTPStatus.UNAUTHORIZED:
        # As it is with every prompt.
        raise EndpointError(f"{url}/generate answers {status}; {HOW_TO_OPEN}")
    if status in (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE):
        is_ready = status == http.HTTPStatus.TOO_MANY_REQUESTS
        raise OverloadedError(words, is_ready=is_ready, wait_seconds=wait_seconds)
    if status in (http.HTTPStatus.BAD_GATEWAY, http.HTTPStatus.GATEWAY_TIMEOUT):
        raise GoneError(words)
    may_pass = status >= 500 or status == http.HTTPStatus.REQUEST_TIMEOUT
    raise RefusedError(
        words,
        is_final=not may_pass,
        is_about_prompts=400 <= status < 500 and status not in ABOUT_NO_PROMPT,
    )


async def bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, if it has no more than `limit` bytes; no more than that is read."""
    parts = []
    size = response.content_length or 0
    if size <= limit:
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > limit:
                break
            parts.append(part)
        else:
            return b"".join(parts)
    # The rest is on its way: the connection is of no use for another call.
    response.close()
    raise RefusedError(
        f"its answer is longer than the {limit:,} bytes that one can have",
        is_final=True,
        is_about_prompts=True,
    )


def named(error: BaseException) -> str:
    """The error with its kind; `repr` would show the headers that were sent."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
