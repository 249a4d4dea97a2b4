"""Client: batches of prompts to servers and back, with retries; `generate_api` has the format."""

from __future__ import annotations

import asyncio
import http
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import orjson

from inference.asking.generate_api import (
    WARMING,
    DoubtError,
    Job,
    Outcome,
    UnreadableError,
    body_of,
    head,
    jobs_of,
    outcomes_of,
)
from inference.errors import EndpointError, RequestError
from inference.planning.requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How servers are asked; nothing of it changes an answer."""

    concurrency: int = 16
    """Batches that are under way at the same time, per endpoint."""
    batch_size: int = 32
    """Prompts per call."""
    attempt_limit: int = 5
    """Attempts of a call that a living server refuses, before it is split or given up."""
    timeout_seconds: float = 1800.0
    """For one call, waiting in the server's queue included."""
    patience_seconds: float = 600.0
    """A server that cannot be reached for so long ends the run."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to a request."""

    request: Request
    endpoint: str
    attempt_count: int
    latency_seconds: float
    """From the first attempt to the last byte, for the batch that the request was in."""
    input_token_count: int
    output_token_count: int
    cached_token_count: int
    """Of the input tokens, those that the server did not have to compute."""
    completion: str | None = None
    stop_reason: str | None = None
    """`stop` (a stop text or the end of the text), or `length`."""
    log_likelihoods: tuple[float, ...] = ()
    """In nats, one per continuation; minus infinity for what the model holds impossible."""
    token_counts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that kept failing on a living server."""

    request: Request
    endpoint: str
    attempt_count: int
    error: str


class _RefusedError(Exception):
    """One attempt of a call was refused by a living server."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final
        """Whether the very same call would be refused again."""


class _BatchError(Exception):
    """A call was given up after so many attempts."""

    def __init__(self, message: str, attempt_count: int) -> None:
        super().__init__(message)
        self.attempt_count = attempt_count


Group = list[Request]
"""Requests whose prompts begin with the same text."""


def bundles(groups: Iterable[Group], batch_size: int) -> Iterator[list[Group]]:
    """Groups put together until their requests fill a batch; a big group stays alone.

    A bundle is asked in two waves: one prompt of every group, which leaves the group's prefix in
    the server's cache, then all others, which find it there.
    """
    bundle: list[Group] = []
    count = 0
    for group in groups:
        if bundle and count + len(group) > batch_size:
            yield bundle
            bundle, count = [], 0
        bundle.append(group)
        count += len(group)
    if bundle:
        yield bundle


class Endpoint:
    """One server, and the calls that are on their way to it."""

    def __init__(self, url: str, concurrency: int) -> None:
        self.url = url.rstrip("/")
        self.slots = asyncio.Semaphore(concurrency)
        self.waiting_count = 0
        self.model_path: str | None = None
        """What it served when the run began; a server that comes back must serve the same."""


@dataclass(slots=True)
class _Progress:
    """Sequences of a request that have come back."""

    job_count: int
    """That have to."""
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    warming: Outcome | None = None
    """What the server had of the prompt before it was warmed."""
    attempt_count: int = 1
    latency_seconds: float = 0.0


class Client:
    """Asks servers; use as an asynchronous context manager.

    Calls that nobody answers are repeated when the server is back and serves the same model.
    Calls that a living server refuses are repeated with growing pauses, and in the end halved,
    so that one bad prompt fails alone.
    """

    def __init__(
        self,
        urls: Iterable[str],
        settings: ClientSettings,
        *,
        generator: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self.endpoints = [Endpoint(url, settings.concurrency) for url in urls]
        # Only for pauses between attempts.
        self._generator = generator or random.Random()

    async def __aenter__(self) -> Client:
        """Open the connections."""
        count = self.settings.concurrency * len(self.endpoints)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=count + 8),
            timeout=aiohttp.ClientTimeout(total=self.settings.timeout_seconds),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, endpoint: Endpoint, path: str) -> dict[str, Any]:
        """JSON that the server has at `path`.

        Raises:
            EndpointError: the server cannot be reached, or says something else.
        """
        url = f"{endpoint.url}{path}"
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(30)) as response:
                body = await response.read()
                if response.status != 200:
                    raise EndpointError(f"{url} answers {response.status}: {head(body)}")
                said = orjson.loads(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EndpointError(
                f"{url} cannot be reached: {error!r}; is the server up? `evalwh serve` starts one"
            ) from error
        except orjson.JSONDecodeError as error:
            raise EndpointError(f"{url} is no SGLang server: it answers {head(body)}") from error
        if not isinstance(said, dict):
            raise EndpointError(f"{url} is no SGLang server: it answers {head(body)}")
        return said

    async def ask(
        self,
        bundle: list[Group],
        on_done: Callable[[Answer | Failure], None],
    ) -> None:
        """Ask everything in `bundle`, and say what became of each request as soon as it is known.

        Raises:
            EndpointError: a server was away for longer than the settings allow.
        """
        endpoint = min(self.endpoints, key=lambda one: one.waiting_count)
        endpoint.waiting_count += 1
        progress: dict[int, _Progress] = {}

        def finish(jobs: list[Job], result: _Call | _BatchError) -> None:
            self._finish(jobs, result, progress, endpoint, on_done)

        try:
            leaders, followers = _waves(bundle, progress)
            await self._call_all(endpoint, leaders, finish)
            # A request that failed with its first sequence has no use for its others.
            followers = [job for job in followers if id(job.request) in progress]
            await self._call_all(endpoint, followers, finish)
        finally:
            endpoint.waiting_count -= 1

    def _finish(
        self,
        jobs: list[Job],
        result: _Call | _BatchError,
        progress: dict[int, _Progress],
        endpoint: Endpoint,
        on_done: Callable[[Answer | Failure], None],
    ) -> None:
        for position, job in enumerate(jobs):
            state = progress.get(id(job.request))
            if state is None:
                continue
            outcome = result if isinstance(result, _BatchError) else result.outcomes[position]
            if job.sequence_index == WARMING:
                # If even that was refused, the request itself will be, too.
                state.warming = outcome if isinstance(outcome, Outcome) else None
                continue
            if isinstance(outcome, Exception):
                del progress[id(job.request)]
                count = result.attempt_count
                on_done(Failure(job.request, endpoint.url, count, str(outcome)))
                continue
            assert not isinstance(result, _BatchError)
            state.outcomes[job.sequence_index] = outcome
            state.attempt_count = max(state.attempt_count, result.attempt_count)
            state.latency_seconds += result.latency_seconds
            if len(state.outcomes) == state.job_count:
                del progress[id(job.request)]
                on_done(_answer(job.request, state, endpoint.url))

    async def _call_all(
        self,
        endpoint: Endpoint,
        jobs: list[Job],
        finish: Callable[[list[Job], _Call | _BatchError], None],
    ) -> None:
        """Batches of one kind each, as many at once as there are slots."""
        by_kind: dict[str, list[Job]] = {}
        for job in jobs:
            by_kind.setdefault(job.kind, []).append(job)
        size = self.settings.batch_size
        batches = [
            same[start : start + size]
            for same in by_kind.values()
            for start in range(0, len(same), size)
        ]
        if len(batches) == 1:
            await self._call(endpoint, batches[0], finish)
            return
        async with asyncio.TaskGroup() as tasks:
            for batch in batches:
                tasks.create_task(self._call(endpoint, batch, finish))

    async def _call(
        self,
        endpoint: Endpoint,
        jobs: list[Job],
        finish: Callable[[list[Job], _Call | _BatchError], None],
    ) -> None:
        """One batch, halved when the server refuses it as a whole."""
        try:
            async with endpoint.slots:
                result = await self._settled(endpoint, jobs, await self._attempt(endpoint, jobs))
        except _BatchError as error:
            if len(jobs) == 1:
                finish(jobs, error)
                return
            middle = len(jobs) // 2
            await self._call(endpoint, jobs[:middle], finish)
            await self._call(endpoint, jobs[middle:], finish)
            return
        finish(jobs, result)

    async def _settled(self, endpoint: Endpoint, jobs: list[Job], result: _Call) -> _Call:
        """`result`, with what is in doubt asked once more so that it can be told."""
        doubtful = [
            index for index, one in enumerate(result.outcomes) if isinstance(one, DoubtError)
        ]
        if not doubtful:
            return result
        again = await self._attempt(endpoint, [jobs[index] for index in doubtful], with_best=True)
        outcomes = list(result.outcomes)
        for index, outcome in zip(doubtful, again.outcomes, strict=True):
            outcomes[index] = outcome
        return _Call(
            outcomes,
            max(result.attempt_count, again.attempt_count),
            result.latency_seconds + again.latency_seconds,
        )

    async def _attempt(
        self, endpoint: Endpoint, jobs: list[Job], *, with_best: bool = False
    ) -> _Call:
        body = body_of(jobs, with_best=with_best)
        started = time.monotonic()
        attempt_count = 0
        while True:
            attempt_count += 1
            try:
                outcomes = outcomes_of(jobs, await self._post(endpoint, body))
            except (_RefusedError, UnreadableError) as error:
                if error.is_final or attempt_count >= self.settings.attempt_limit:
                    raise _BatchError(str(error), attempt_count) from error
                await self._pause(attempt_count)
            except aiohttp.ClientConnectorError as error:
                # Nobody answers: this says nothing about the prompts, so it is no attempt.
                attempt_count -= 1
                await self._wait_for(endpoint, error)
            except (aiohttp.ClientError, OSError) as error:
                # The server went away with the prompts in its hands; they may be the reason.
                if attempt_count >= self.settings.attempt_limit:
                    raise _BatchError(
                        f"the server went away {attempt_count} times: {error!r}", attempt_count
                    ) from error
                await self._wait_for(endpoint, error)
            else:
                return _Call(outcomes, attempt_count, time.monotonic() - started)

    async def _post(self, endpoint: Endpoint, body: bytes) -> bytes:
        try:
            async with self._session.post(
                f"{endpoint.url}/generate",
                data=body,
                headers={"Content-Type": "application/json"},
            ) as response:
                content = await response.read()
        except TimeoutError as error:
            seconds = self.settings.timeout_seconds
            raise _RefusedError(f"no answer within {seconds:.0f} s", is_final=False) from error
        if response.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            raise aiohttp.ClientConnectionError(f"not ready: {head(content)}")
        if response.status != http.HTTPStatus.OK:
            raise _RefusedError(
                f"the server answered {response.status}: {head(content)}",
                is_final=400 <= response.status < 500 and response.status not in (408, 429),
            )
        return content

    async def _pause(self, attempt_count: int) -> None:
        """Twice as long each time, up to half a minute, and not all at the same moment."""
        await asyncio.sleep(min(30.0, 0.25 * 2**attempt_count) * self._generator.uniform(0.5, 1))

    async def _wait_for(self, endpoint: Endpoint, reason: Exception) -> None:
        """Return when the server is healthy again and serves what it served.

        Raises:
            EndpointError: it stays away for `patience_seconds`, or serves something else.
        """
        started = time.monotonic()
        while True:
            await asyncio.sleep(self._generator.uniform(0.2, 1.0))
            try:
                await self.check_health(endpoint)
                served = (await self.get(endpoint, "/model_info")).get("model_path")
            except EndpointError as error:
                away = time.monotonic() - started
                if away > self.settings.patience_seconds:
                    raise EndpointError(
                        f"{endpoint.url} has been away for {away:.0f} s, first with {reason!r},"
                        f" last with: {error}; what was answered is kept, and the same command"
                        " asks the rest"
                    ) from error
                continue
            if endpoint.model_path not in (None, served):
                raise EndpointError(
                    f"{endpoint.url} came back with {served!r}; the run began with"
                    f" {endpoint.model_path!r}"
                )
            return

    async def check_health(self, endpoint: Endpoint) -> None:
        """Return if the server is up and warm.

        Raises:
            EndpointError: it cannot be reached, or says that it is not ready.
        """
        url = f"{endpoint.url}/health"
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(30)) as response:
                if response.status != http.HTTPStatus.OK:
                    raise EndpointError(f"{url} answers {response.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EndpointError(f"{url} cannot be reached: {error!r}") from error


class _Call(NamedTuple):
    outcomes: list[Outcome | RequestError]
    attempt_count: int
    latency_seconds: float


def _waves(bundle: list[Group], progress: dict[int, _Progress]) -> tuple[list[Job], list[Job]]:
    """Jobs that leave prefixes in the cache, and those that find them there.

    Every request gets its place in `progress`.
    """
    leaders: list[Job] = []
    followers: list[Job] = []
    for group in bundle:
        jobs: list[Job] = []
        for request in group:
            own = jobs_of(request)
            progress[id(request)] = _Progress(len(own))
            jobs += own
        job, *rest = jobs
        if rest and job.kind == "generation":
            # The others need not wait until the first has written its completion.
            leaders.append(Job(job.request, WARMING))
            followers.append(job)
        else:
            leaders.append(job)
        followers += rest
    return leaders, followers


def _answer(request: Request, state: _Progress, endpoint: str) -> Answer:
    outcomes = [outcome for _, outcome in sorted(state.outcomes.items())]
    return Answer(
        request,
        endpoint,
        state.attempt_count,
        state.latency_seconds,
        sum(outcome.input_token_count for outcome in outcomes),
        sum(outcome.output_token_count for outcome in outcomes),
        # A prompt that was warmed was computed for this request, whatever the server says.
        state.warming.cached_token_count
        if state.warming
        else sum(outcome.cached_token_count for outcome in outcomes),
        outcomes[0].completion,
        outcomes[0].stop_reason,
        tuple(value for outcome in outcomes for value in outcome.log_likelihoods),
        tuple(len(sequence.continuation) for sequence in request.sequences)
        if request.kind == "log_likelihood"
        else (),
    )
