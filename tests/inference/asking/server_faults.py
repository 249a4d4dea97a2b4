"""Faults of servers: ways in which a fake server answers a call, or an answer of it, wrongly.

None of this is a real server. A fault of a call concerns all prompts that are in it; a fault of an
answer concerns that prompt only, and the others in the call are answered well.
"""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from inference.asking.refusals import LONGEST_DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Callable

Call = dict[str, Any]
Said = dict[str, Any]

HTML = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"

BOMB = gzip.compress(b" " * (64 << 20))


class Raw(web.Response):
    """Bytes as they are, and then the end of the connection."""

    def __init__(self, *parts: bytes, pause_seconds: float = 0.0) -> None:
        super().__init__()
        self._parts = parts
        self._pause_seconds = pause_seconds

    async def prepare(self, request: web.BaseRequest) -> Any:
        assert request.transport is not None
        for part in self._parts:
            if request.transport is None or request.transport.is_closing():
                break
            request.transport.write(part)
            await asyncio.sleep(self._pause_seconds)
        if request.transport is not None:
            request.transport.close()
        return await super().prepare(request)


class Slow(web.Response):
    """An answer that comes too late."""

    async def prepare(self, request: web.BaseRequest) -> Any:
        await asyncio.sleep(3)
        return await super().prepare(request)


def head(*lines: bytes, length: int | None = None) -> bytes:
    said = [b"HTTP/1.1 200 OK", b"Content-Type: application/json", *lines]
    if length is not None:
        said.append(b"Content-Length: %d" % length)
    return b"\r\n".join(said) + b"\r\n\r\n"


def status(code: int, **headers: str) -> Callable[[list[Said]], web.Response]:
    return lambda _: web.Response(status=code, text=f"status {code}", headers=headers)


def body(change: Callable[[bytes], bytes]) -> Callable[[list[Said]], web.Response]:
    return lambda said: web.Response(body=change(orjson.dumps(said)))


def json(change: Callable[[list[Said]], object]) -> Callable[[list[Said]], web.Response]:
    return lambda said: web.Response(body=orjson.dumps(change(said)))


FAULTS_OF_CALLS: dict[str, Callable[[list[Said]], web.Response]] = {
    **{
        f"status {code}": status(code)
        for code in (201, 202, 204, 206, 300, 304, 400, 402, 403, 404, 405, 406, 408, 409, 410, 413)
    },
    **{
        f"status {code}": status(code)
        for code in (415, 418, 422, 431, 451, 500, 501, 502, 504, 505, 507, 511, 520, 599)
    },
    **{
        f"redirect {code}": status(code, Location="/generate") for code in (301, 302, 303, 307, 308)
    },
    "redirect elsewhere": status(302, Location="http://127.0.0.1:1/generate"),
    "redirect without an address": status(302),
    "redirect to no address": status(302, Location="http://[::1"),
    "nothing": body(lambda _: b""),
    "spaces": body(lambda _: b"  \n "),
    "HTML": body(lambda _: HTML),
    "half a body": body(lambda said: said[: len(said) // 2]),
    "a byte less": body(lambda said: said[:-1]),
    "a byte more": body(lambda said: said + b"]"),
    "twice": body(lambda said: said + said),
    "event stream": body(lambda said: b"data: " + said + b"\n\ndata: [DONE]\n\n"),
    "invalid UTF-8": body(lambda said: said.replace(b'"finish_reason"', b'"finish\xff"')),
    "NUL bytes": body(lambda said: said.replace(b",", b",\0")),
    "comments": body(lambda said: b"// said\n" + said),
    "single quotes": body(lambda said: said.replace(b'"', b"'")),
    "deeply nested": body(lambda _: b"[" * 100_000),
    "deeply nested and closed": body(lambda _: b"[" * 100_000 + b"]" * 100_000),
    **{
        f"text is {depth} lists deep": body(
            lambda said, depth=depth: said.replace(
                b'"text":', b'"text":' + b"[" * depth + b"]" * depth + b',"more":'
            )
        )
        for depth in (900, 940, 960, 980, 990, 2000)
    },
    "compressed": lambda said: web.Response(
        body=gzip.compress(orjson.dumps(said)), headers={"Content-Encoding": "gzip"}
    ),
    "a compressed bomb": lambda _: web.Response(body=BOMB, headers={"Content-Encoding": "gzip"}),
    "said to be compressed": lambda _: web.Response(
        body=b"no gzip at all", headers={"Content-Encoding": "gzip"}
    ),
    "null": json(lambda _: None),
    "a number": json(lambda _: 1),
    "a text": json(lambda _: "done"),
    "an object": json(lambda said: {"answers": said}),
    "an error with status 200": json(lambda _: {"error": {"message": "out of memory"}}),
    "no answers": json(lambda _: []),
    "an answer too many": json(lambda said: [*said, said[0]]),
    "an answer too few": json(lambda said: said[:-1]),
    "nested once more": json(lambda said: [said]),
    "each nested": json(lambda said: [[one] for one in said]),
    "answers of null": json(lambda said: [None] * len(said)),
    "answers of true": json(lambda said: [True] * len(said)),
    "answers of text": json(lambda said: ["yes"] * len(said)),
    "answers by number": json(lambda said: {str(i): one for i, one in enumerate(said)}),
    "in another order": json(lambda said: said[1:] + said[:1] if len(said) > 1 else []),
    "the first for all": json(lambda said: [said[0]] * len(said) if len(said) > 1 else []),
    "closed at once": lambda _: Raw(),
    "closed within the head": lambda _: Raw(b"HTTP/1.1 200 OK\r\nContent-"),
    "closed after the head": lambda _: Raw(head(length=100)),
    "closed within the body": lambda _: Raw(head(length=100), b"[{"),
    "closed within a chunk": lambda _: Raw(head(b"Transfer-Encoding: chunked"), b"ff\r\n[{"),
    "a chunk without a size": lambda _: Raw(head(b"Transfer-Encoding: chunked"), b"zz\r\n[]\r\n"),
    "no HTTP": lambda _: Raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "binary": lambda _: Raw(bytes(range(256)) * 16),
    "an endless head": lambda _: Raw(b"HTTP/1.1 200 OK\r\n", b"X: " + b"a" * 100_000 + b"\r\n"),
    "a negative length": lambda _: Raw(head(b"Content-Length: -5"), b"[]"),
    "two lengths": lambda _: Raw(head(b"Content-Length: 2", b"Content-Length: 3"), b"[]"),
    "a length too small": lambda said: Raw(head(length=3), orjson.dumps(said)),
    "no length": lambda _: Raw(head(), b"[{}, "),
    "silence": lambda said: Slow(body=orjson.dumps(said)),
    "drop by drop": lambda _: Raw(head(length=1000), *([b" "] * 100), pause_seconds=0.05),
    "said to be huge": lambda _: Raw(head(length=1 << 50), b"["),
    "huge": lambda _: Raw(
        head(b"Transfer-Encoding: chunked"), *([b"10000\r\n" + b" " * 65536 + b"\r\n"] * 256)
    ),
    "a huge refusal": lambda _: web.Response(status=500, body=b"x" * (LONGEST_DESCRIPTION + 1)),
}
"""By name: what is answered in place of the right answers."""


def meta(name: str, value: object) -> Callable[[Said], None]:
    return lambda said: said["meta_info"].update({name: value})


def counted(name: str, change: Callable[[int], int]) -> Callable[[Said], None]:
    return lambda said: said["meta_info"].update({name: change(said["meta_info"][name])})


def gone(name: str) -> Callable[[Said], None]:
    return lambda said: said["meta_info"].pop(name)


def top(name: str, value: object) -> Callable[[Said], None]:
    return lambda said: said.update({name: value})


def deep(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


NO_COUNTS = (True, -1, 1.5, 3.0, "3", [], {}, 2**31, 10**12, 2**63, 10**30, float("nan"), 1e300)

NO_LOG_PROBABILITIES = (
    *(0.5, 1, 1e-3, True, False, "-1.5", [], {}, [-1.0]),
    *(float("nan"), float("inf"), 1e308, 10**400),
)


def weighed(change: Callable[[list[Any]], object]) -> Callable[[Said], None]:
    """Change the entry of the last token, where log-probabilities are."""

    def changed(said: Said) -> None:
        found = said["meta_info"]
        for entries in (
            found.get("input_token_logprobs"),
            (found.get("output_token_ids_logprobs") or [None])[0],
        ):
            if entries:
                change(entries)

    return changed


def last(index: int, value: object) -> Callable[[Said], None]:
    return weighed(lambda entries: entries[-1].__setitem__(index, value))


FAULTS_OF_ANSWERS: dict[str, Callable[[Said], None]] = {
    "no meta_info": lambda said: said.pop("meta_info"),
    "meta_info is null": top("meta_info", None),
    "meta_info is a list": top("meta_info", []),
    "meta_info is empty": top("meta_info", {}),
    "no finish_reason": gone("finish_reason"),
    "finish_reason is null": meta("finish_reason", None),
    "finish_reason is true": meta("finish_reason", True),
    "finish_reason is a list": meta("finish_reason", ["stop"]),
    "finish_reason is unknown": meta("finish_reason", {"type": "tired"}),
    "finish_reason is None": meta("finish_reason", "None"),
    "finish_reason is empty": meta("finish_reason", {}),
    "finish_reason has type null": meta("finish_reason", {"type": None}),
    "finish_reason is an abort": meta("finish_reason", {"type": "abort", "message": "out"}),
    "finish_reason is a content filter": meta("finish_reason", {"type": "content_filter"}),
    "the id of another": meta("id", "another"),
    "id is a number": meta("id", 7),
    "weight_version is a number": meta("weight_version", 7),
    **{
        f"{name} is {value!r}": meta(name, value)
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens")
        for value in NO_COUNTS
    },
    "a token read too few": counted("prompt_tokens", lambda read: read - 1),
    "a token read too many": counted("prompt_tokens", lambda read: read + 1),
    "more tokens written than asked": counted("completion_tokens", lambda _: 1_000_000),
    "more tokens cached than read": lambda said: said["meta_info"].update(
        cached_tokens=said["meta_info"]["prompt_tokens"] + 1
    ),
    "no prompt_tokens": gone("prompt_tokens"),
    "no completion_tokens": gone("completion_tokens"),
    "prompt_tokens is null": meta("prompt_tokens", None),
    "completion_tokens is null": meta("completion_tokens", None),
}
"""By name: what is changed in the answer to any prompt."""

FAULTS_OF_COMPLETIONS: dict[str, Callable[[Said], None]] = {
    "no text": lambda said: said.pop("text"),
    **{f"text is {value!r}": top("text", value) for value in (None, True, 3, ["a"], {"a": 1})},
    **{f"text is {depth} lists deep": top("text", deep(depth)) for depth in (100, 500)},
    "text has half a character": top("text", "\ud83d"),
}
"""By name: what is changed in the answer to a prompt that is to be completed."""

FAULTS_OF_WEIGHTS: dict[str, Callable[[Said], None]] = {
    **{f"a log-probability is {value!r:.20}": last(0, value) for value in NO_LOG_PROBABILITIES},
    "another token": last(1, 999_999),
    "a token that is a text": last(1, "7"),
    "a token that is true": last(1, True),
    "no token": weighed(lambda entries: entries[-1].pop()),
    "a position too few": weighed(lambda entries: entries.pop()),
    "no positions": weighed(lambda entries: entries.clear()),
    "positions nested": weighed(lambda entries: entries.append([entries.pop()])),
    "no log-probabilities": lambda said: [
        said["meta_info"].pop(name, None)
        for name in ("input_token_logprobs", "output_token_ids_logprobs")
    ],
    "log-probabilities are null": lambda said: said["meta_info"].update(
        input_token_logprobs=None, output_token_ids_logprobs=None
    ),
    "log-probabilities are a number": lambda said: said["meta_info"].update(
        input_token_logprobs=-1.5, output_token_ids_logprobs=-1.5
    ),
    "log-probabilities are an object": lambda said: said["meta_info"].update(
        input_token_logprobs={"0": -1.5}, output_token_ids_logprobs={"0": -1.5}
    ),
}
"""By name: what is changed in the answer to a continuation that is to be weighed."""
