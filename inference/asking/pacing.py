"""Pacing: how many calls a server gets at the same time, and when the next may begin."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

LONGEST_PAUSE_SECONDS = 30.0
"""The longest pause that we choose ourselves."""

LONGEST_RETRY_AFTER_SECONDS = 300.0
"""The longest pause that a server can ask for at once; it may ask again."""


def pause_seconds(count: int, generator: random.Random) -> float:
    """After so many refusals in a row: twice as long each time, and never the same for two."""
    longest = min(LONGEST_PAUSE_SECONDS, 0.25 * 2.0 ** min(count, 16))
    return longest * generator.uniform(0.5, 1)


def retry_after_seconds(value: str | None, date: str | None) -> float:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3), within our bound; 0 for none.

    `date` is the answer's own Date header: beside it, a moment needs no clocks that agree.
    """
    text = (value or "").strip()
    if not text:
        return 0.0
    if text.isascii() and text.isdigit():
        # Of thousands of digits, Python would not make a number.
        seconds = float(text[:12])
    else:
        moment = _moment(text)
        if moment is None:
            return 0.0
        seconds = (moment - (_moment(date or "") or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Pace:
    """The calls to one server: fewer at once while it is overloaded, and none while it asks so.

    No pause lasts longer than what is left of `patience_seconds` since it began to refuse all.

    As TCP does it (RFC 5681): a refusal halves the number of calls at once, at most once for all
    calls that were under way together; an answer lets one more in, until half of what was too
    much is reached, and from there one more per round of calls.
    """

    def __init__(
        self, concurrency: int, generator: random.Random, patience_seconds: float = math.inf
    ) -> None:
        self.limit = concurrency
        """Calls at once, now."""
        self.refused_since: float | None = None
        """When the server began to refuse everything, by `time.monotonic`; null if it does not."""
        self._most = concurrency
        self._threshold = concurrency
        self._generator = generator
        self._patience_seconds = patience_seconds
        self._places = asyncio.Semaphore(concurrency)
        self._withheld_count = 0
        """Places that are not given back, because the limit has come down."""
        self._answer_count = 0
        """Since the limit was last raised."""
        self._refusal_count = 0
        """In a row."""
        self._slowed_at = 0.0
        self._resume_at = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """A place among the calls under way; gives the moment at which the call may begin."""
        await self._places.acquire()
        while self._withheld_count:
            # This place is one of those that are no more.
            self._withheld_count -= 1
            await self._places.acquire()
        try:
            while (pause := self._resume_at - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            yield time.monotonic()
        finally:
            if self._withheld_count:
                self._withheld_count -= 1
            else:
                self._places.release()

    def answered(self) -> None:
        """The server has answered a call."""
        self.refused_since = None
        self._refusal_count = 0
        if self.limit < self._most:
            self._answer_count += 1
            if self.limit < self._threshold or self._answer_count >= self.limit:
                self._change(self.limit + 1)

    def refused(self, asked_at: float, wait_seconds: float) -> None:
        """The server has too much to do, and asks to wait; the call began at `asked_at`."""
        now = time.monotonic()
        if self.refused_since is None:
            self.refused_since = now
        # Calls that were under way together are refused together: that is one refusal.
        if asked_at >= self._slowed_at:
            self._slowed_at = now
            self._refusal_count += 1
            self._threshold = max(1, self.limit // 2)
            self._change(self._threshold)
            self._resume(now + pause_seconds(self._refusal_count, self._generator))
        self._resume(now + wait_seconds)

    def fell(self) -> None:
        """The server went away with calls under way: only one at a time may be the reason again."""
        self._threshold = max(1, self._most // 2)
        self._change(1)

    def _resume(self, moment: float) -> None:
        since = time.monotonic() if self.refused_since is None else self.refused_since
        self._resume_at = max(self._resume_at, min(moment, since + self._patience_seconds))

    def _change(self, limit: int) -> None:
        self._answer_count = 0
        self._withheld_count += max(0, self.limit - limit)
        for _ in range(limit - self.limit):
            if self._withheld_count:
                self._withheld_count -= 1
            else:
                self._places.release()
        self.limit = limit
