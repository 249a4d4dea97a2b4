"""Client: batches of prompts to servers and back, with retries; `generate_api` has the format."""

from __future__ import annotations

import asyncio
import http
import itertools
import os
import random
import secrets
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
    size_limit,
)
from inference.asking.identity import (
    Identity,
    ModelFolder,
    ModelInfo,
    ModelList,
    ServerInfo,
    identity_of,
    read_as,
)
from inference.asking.pacing import Pace, pause_seconds, retry_after_seconds
from inference.asking.refusals import (
    HOW_TO_OPEN,
    LONGEST_DESCRIPTION,
    NETWORK_ERRORS,
    GoneError,
    OverloadedError,
    RefusedError,
    bounded,
    named,
    refuse,
)
from inference.credentials import API_KEY, address_of, hide
from inference.errors import EndpointError, ModelChangedError, RequestError
from inference.planning.requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from types import TracebackType


SEEING_SECONDS = 30.0
"""For one look at what a server says of itself."""

LONGEST_ABSENCE_PAUSE = 4.0
"""Seconds between two looks at a server that is away."""

DESCRIPTIONS = ("/model_info", "/server_info", "/v1/models")


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How servers are asked; nothing of it changes an answer."""

    concurrency: int = 16
    """Batches that are under way at the same time, per endpoint."""
    batch_size: int = 32
    """Prompts per call."""
    attempt_limit: int = 5
    """Attempts at a batch, its halves included, that may fail for a reason that might pass."""
    timeout_seconds: float = 1800.0
    """For one call, waiting in the server's queue included."""
    patience_seconds: float = 600.0
    """A server that cannot be reached, or refuses everything, for so long ends the run."""


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
    cached_token_count: int | None
    """Of the input tokens, those that the server did not have to compute; null if it did not say.
    """
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


class _BatchError(Exception):
    """A call was given up after so many attempts."""

    def __init__(self, message: str, attempt_count: int, *, is_about_prompts: bool = False) -> None:
        super().__init__(message)
        self.attempt_count = attempt_count
        self.is_about_prompts = is_about_prompts
        """Whether some of its prompts may be answered without the others."""


@dataclass(slots=True)
class _Budget:
    """What a batch and all its halves together may still cost."""

    failure_count: int
    """Attempts that may still fail for a reason that might pass."""

    def spend(self) -> bool:
        """Whether one more attempt may be made."""
        self.failure_count -= 1
        return self.failure_count > 0


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

    def __init__(
        self,
        url: str,
        settings: ClientSettings,
        generator: random.Random,
        api_key: str | None = None,
    ) -> None:
        address = address_of(url, api_key)
        self.url = address.url
        """Without what opens it."""
        self.secrets = address.secrets
        self.headers = {"Accept-Encoding": "identity"}
        if address.authorization:
            self.headers["Authorization"] = address.authorization
        self.pace = Pace(settings.concurrency, generator, settings.patience_seconds)
        self.waiting_count = 0
        self.identity: Identity | None = None
        """What it served at the first look; from then on it must serve the same."""
        self.seen_at = 0.0
        """When the last look that found it so began, by `time.monotonic`."""
        self.change: ModelChangedError | None = None
        """Why nothing that it says counts any more."""
        self.folder: ModelFolder | None = None
        self.recovering = asyncio.Lock()

    def words(self, text: object) -> str:
        """What may be said of the server: without its secrets."""
        return hide(str(text), self.secrets)


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
    Those that it refuses because it has too much to do (429, 503) are repeated until it takes
    them, with pauses that all calls to the server share, and fewer calls at once. Either has
    `patience_seconds`, and ends the run then.

    Other refusals that might pass are repeated, with pauses that grow; `attempt_limit` of them give
    up a batch. What the server will always refuse because of a prompt is halved, both halves at
    once, so that one bad prompt fails alone. A batch of n prompts takes 2n - 1 + `attempt_limit`
    calls at most, of which no more than 1 + log2(n) + `attempt_limit` follow each other, besides
    those that overload or absence cost, and one more for what an answer left in doubt: with the
    defaults 68 calls, and 5.5 hours if each of them took all of `timeout_seconds`.
    """

    def __init__(
        self,
        urls: Iterable[str],
        settings: ClientSettings,
        *,
        generator: random.Random | None = None,
        api_key: str | None = None,
    ) -> None:
        """Do not connect yet; `api_key` stands in for the environment's.

        Raises:
            RunError: a URL is no address of a server.
        """
        self.settings = settings
        # Only for pauses between attempts.
        self._generator = generator or random.Random()
        key = os.environ.get(API_KEY) if api_key is None else api_key
        self.endpoints = [Endpoint(url, settings, self._generator, key) for url in urls]
        # Another client of the same server must have other tags: a server refuses those in use.
        self._tag_stem = secrets.token_hex(4)
        self._tag_numbers = itertools.count()

    async def __aenter__(self) -> Client:
        """Open the connections."""
        count = self.settings.concurrency * len(self.endpoints)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=count + 8),
            timeout=aiohttp.ClientTimeout(total=self.settings.timeout_seconds),
            # What is compressed has no size that could be told in advance.
            auto_decompress=False,
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

    async def get(
        self, endpoint: Endpoint, path: str, seconds: float = SEEING_SECONDS
    ) -> dict[str, Any]:
        """JSON that the server has at `path`.

        Raises:
            EndpointError: the server cannot be reached, or says something else.
        """
        url = f"{endpoint.url}{path}"
        status, body = await self._get(endpoint, path, seconds)
        if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            raise EndpointError(f"{url} answers {status}; {HOW_TO_OPEN}")
        if status != http.HTTPStatus.OK:
            raise EndpointError(f"{url} answers {status}: {endpoint.words(head(body))}")
        try:
            said = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise EndpointError(
                f"{url} is no SGLang server: it answers {endpoint.words(head(body))}"
            ) from error
        if not isinstance(said, dict):
            raise EndpointError(
                f"{url} is no SGLang server: it answers {endpoint.words(head(body))}"
            )
        return said

    async def _get(self, endpoint: Endpoint, path: str, seconds: float) -> tuple[int, bytes]:
        url = f"{endpoint.url}{path}"
        try:
            async with self._session.get(
                url,
                headers=endpoint.headers,
                timeout=aiohttp.ClientTimeout(seconds),
                # A redirect could lead the token to somebody else.
                allow_redirects=False,
            ) as response:
                return response.status, await bounded(response, LONGEST_DESCRIPTION)
        except RefusedError as error:
            raise EndpointError(f"{url} is no SGLang server: {error}") from error
        except NETWORK_ERRORS as error:
            raise EndpointError(
                f"{url} cannot be reached: {endpoint.words(named(error))}; is the server up?"
                " `evalwh serve` starts one"
            ) from error

    async def said(self, endpoint: Endpoint, seconds: float = SEEING_SECONDS) -> Description:
        """What the server says of itself.

        Raises:
            EndpointError: it cannot be reached, or is no SGLang server.
        """
        # Three small answers at the same time, on connections that are open anyway.
        model, info, served = await asyncio.gather(
            *(self.get(endpoint, path, seconds) for path in DESCRIPTIONS)
        )
        return Description(
            read_as(ModelInfo, model, f"{endpoint.url}{DESCRIPTIONS[0]}"),
            read_as(ServerInfo, info, f"{endpoint.url}{DESCRIPTIONS[1]}"),
            read_as(ModelList, served, f"{endpoint.url}{DESCRIPTIONS[2]}"),
            info,
        )

    async def look(self, endpoint: Endpoint, seconds: float = SEEING_SECONDS) -> Description:
        """What the server says of itself, if it is what it said at the first look, as this may be.

        What it has answered until now is then that model's.

        Raises:
            ModelChangedError: it serves something else, or did at an earlier look.
            EndpointError: it cannot be reached, or says nothing that can be understood.
        """
        started = time.monotonic()
        said = await self.said(endpoint, seconds)
        if endpoint.folder is None:
            endpoint.folder = ModelFolder(said.model.model_path)
        weights = await asyncio.to_thread(endpoint.folder.fingerprint)
        identity = identity_of(said.model, said.info, said.served, weights)
        if endpoint.change is None and endpoint.identity not in (None, identity):
            assert endpoint.identity is not None
            changes = endpoint.words(endpoint.identity.changes_to(identity))
            endpoint.change = ModelChangedError(
                f"{endpoint.url} serves another model than when the run began: {changes}"
            )
        if endpoint.change is not None:
            raise endpoint.change
        endpoint.identity = identity
        endpoint.seen_at = started
        return said

    async def look_at(self, url: str, seconds: float = SEEING_SECONDS) -> None:
        """As `look`, at the server of the address."""
        await self.look(next(one for one in self.endpoints if one.url == url), seconds)

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
        await _together(
            self._call(endpoint, batch, finish, _Budget(self.settings.attempt_limit))
            for batch in batches
        )

    async def _call(
        self,
        endpoint: Endpoint,
        jobs: list[Job],
        finish: Callable[[list[Job], _Call | _BatchError], None],
        budget: _Budget,
    ) -> None:
        """One batch, halved when the server refuses it as a whole because of a prompt."""
        try:
            result = await self._attempt(endpoint, jobs, budget)
            result = await self._settled(endpoint, jobs, result, budget)
        except _BatchError as error:
            if len(jobs) > 1 and error.is_about_prompts:
                middle = len(jobs) // 2
                await _together(
                    self._call(endpoint, half, finish, budget)
                    for half in (jobs[:middle], jobs[middle:])
                )
                return
            finish(jobs, error)
            return
        finish(jobs, result)

    async def _settled(
        self, endpoint: Endpoint, jobs: list[Job], result: _Call, budget: _Budget
    ) -> _Call:
        """`result`, with what is in doubt asked once more so that it can be told."""
        doubtful = [
            index for index, one in enumerate(result.outcomes) if isinstance(one, DoubtError)
        ]
        if not doubtful:
            return result
        try:
            again = await self._attempt(
                endpoint, [jobs[index] for index in doubtful], budget, with_best=True
            )
        except _BatchError as error:
            # What is in no doubt has been paid for.
            again = _Call([RequestError(str(error))] * len(doubtful), error.attempt_count, 0.0)
        outcomes = list(result.outcomes)
        for index, outcome in zip(doubtful, again.outcomes, strict=True):
            outcomes[index] = outcome
        return _Call(
            outcomes,
            max(result.attempt_count, again.attempt_count),
            result.latency_seconds + again.latency_seconds,
        )

    async def _attempt(
        self, endpoint: Endpoint, jobs: list[Job], budget: _Budget, *, with_best: bool = False
    ) -> _Call:
        started: float | None = None
        overloaded_since: float | None = None
        asked_at = 0.0
        attempt_count = 0
        while True:
            attempt_count += 1
            # New ones each time: a server that still works at the last attempt refuses its tags.
            tags = self._tags(len(jobs))
            body = body_of(jobs, tags, with_best=with_best)
            try:
                async with endpoint.pace.turn() as asked_at:
                    started = started or asked_at
                    content = await self._post(endpoint, body, size_limit(jobs))
                known = endpoint.identity.weight_version if endpoint.identity else None
                outcomes = outcomes_of(jobs, content, tags, known)
            except (RefusedError, UnreadableError) as error:
                is_about_prompts = isinstance(error, UnreadableError) or error.is_about_prompts
                if error.is_final or not budget.spend():
                    raise _BatchError(
                        endpoint.words(error),
                        attempt_count,
                        is_about_prompts=error.is_final and is_about_prompts,
                    ) from error
                await asyncio.sleep(pause_seconds(attempt_count, self._generator))
            except OverloadedError as error:
                # This says nothing about the prompts.
                endpoint.pace.refused(asked_at, error.wait_seconds)
                now = time.monotonic()
                overloaded_since = overloaded_since or now
                self._check_patience(endpoint, now, error)
                if now - overloaded_since > self.settings.patience_seconds:
                    raise _BatchError(endpoint.words(error), attempt_count) from error
                if not error.is_ready:
                    await self._wait_for(endpoint, now, error)
            except aiohttp.ClientConnectorError as error:
                # Nobody answers: this says nothing about the prompts, so it is no attempt.
                attempt_count -= 1
                overloaded_since = None
                await self._wait_for(endpoint, time.monotonic(), error)
            except (*NETWORK_ERRORS, GoneError) as error:
                # The server went away with the prompts in its hands; they may be the reason.
                endpoint.pace.fell()
                overloaded_since = None
                if not budget.spend():
                    raise _BatchError(
                        endpoint.words(f"the server went away while it was asked: {named(error)}"),
                        attempt_count,
                        is_about_prompts=True,
                    ) from error
                await self._wait_for(endpoint, time.monotonic(), error)
            except ModelChangedError as error:
                endpoint.change = ModelChangedError(f"{endpoint.url}: {endpoint.words(error)}")
                raise endpoint.change from error
            else:
                endpoint.pace.answered()
                return _Call(
                    [
                        RequestError(endpoint.words(one)) if type(one) is RequestError else one
                        for one in outcomes
                    ]
                    if endpoint.secrets
                    else outcomes,
                    attempt_count,
                    time.monotonic() - started,
                )

    def _tags(self, count: int) -> list[str]:
        """Names of the jobs of one attempt, which their answers have to repeat."""
        stem = f"evalwh-{self._tag_stem}-{next(self._tag_numbers)}-"
        return [f"{stem}{index}" for index in range(count)]

    async def _post(self, endpoint: Endpoint, body: bytes, limit: int) -> bytes:
        try:
            async with self._session.post(
                f"{endpoint.url}/generate",
                data=body,
                headers={**endpoint.headers, "Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                status = response.status
                is_answer = status == http.HTTPStatus.OK
                content = await bounded(response, limit if is_answer else LONGEST_DESCRIPTION)
                wait_seconds = retry_after_seconds(
                    response.headers.get("Retry-After"), response.headers.get("Date")
                )
        except TimeoutError as error:
            seconds = self.settings.timeout_seconds
            raise RefusedError(f"no answer within {seconds:.0f} s") from error
        if not is_answer:
            refuse(endpoint.url, status, endpoint.words(head(content)), wait_seconds)
        return content

    def _check_patience(self, endpoint: Endpoint, now: float, error: Exception) -> None:
        since = endpoint.pace.refused_since
        if since is not None and now - since > self.settings.patience_seconds:
            raise EndpointError(
                f"{endpoint.url} has refused every call for {now - since:.0f} s, last with:"
                f" {endpoint.words(error)}; what was answered is kept, and the same command asks"
                " the rest"
            ) from error

    async def _wait_for(self, endpoint: Endpoint, failed_at: float, reason: Exception) -> None:
        """Return when the server, which failed then, is healthy again and serves what it served.

        All calls that wait for a server wait together: it is looked at for all of them.

        Raises:
            ModelChangedError: it serves something else.
            EndpointError: it stays away for `patience_seconds`.
        """
        async with endpoint.recovering:
            started = time.monotonic()
            attempt_count = 0
            while endpoint.seen_at < failed_at:
                left = started + self.settings.patience_seconds - time.monotonic()
                pause = min(pause_seconds(attempt_count, self._generator), LONGEST_ABSENCE_PAUSE)
                await asyncio.sleep(min(pause, max(left, 0.0)))
                attempt_count += 1
                try:
                    await self.check_health(endpoint)
                    await self.look(endpoint)
                except ModelChangedError:
                    raise
                except EndpointError as error:
                    # It is away: how long it has refused calls no longer matters.
                    endpoint.pace.refused_since = None
                    away = time.monotonic() - started
                    if away > self.settings.patience_seconds:
                        raise EndpointError(
                            f"{endpoint.url} has been away for {away:.0f} s, first with"
                            f" {endpoint.words(named(reason))}, last with: {error}; what was"
                            " answered is kept, and the same command asks the rest"
                        ) from error

    async def check_health(self, endpoint: Endpoint) -> None:
        """Return if the server is up and warm.

        Raises:
            EndpointError: it cannot be reached, or says that it is not ready.
        """
        status, _ = await self._get(endpoint, "/health", SEEING_SECONDS)
        if status != http.HTTPStatus.OK:
            raise EndpointError(f"{endpoint.url}/health answers {status}")


async def _together(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them at the same time; the first error ends the others."""
    started = list(calls)
    if len(started) == 1:
        # A task of its own would be no use, and most calls are alone.
        await started[0]
        return
    async with asyncio.TaskGroup() as tasks:
        for call in started:
            tasks.create_task(call)


class Description(NamedTuple):
    """What a server says of itself."""

    model: ModelInfo
    info: ServerInfo
    served: ModelList
    all_info: dict[str, Any]
    """All that `/server_info` has, secrets included."""


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
    if state.job_count == 1:
        (outcome,) = state.outcomes.values()
    else:
        outcome = _joined([one for _, one in sorted(state.outcomes.items())])
    return Answer(
        request,
        endpoint,
        state.attempt_count,
        state.latency_seconds,
        outcome.input_token_count,
        outcome.output_token_count,
        # A prompt that was warmed was computed for this request, whatever the server says.
        state.warming.cached_token_count if state.warming else outcome.cached_token_count,
        outcome.completion,
        outcome.stop_reason,
        outcome.log_likelihoods,
        tuple(len(sequence.continuation) for sequence in request.sequences)
        if request.kind == "log_likelihood"
        else (),
    )


def _joined(outcomes: list[Outcome]) -> Outcome:
    """What several sequences of a request came to, in their order."""
    return Outcome(
        tuple(value for outcome in outcomes for value in outcome.log_likelihoods),
        outcomes[0].completion,
        outcomes[0].stop_reason,
        sum(outcome.input_token_count for outcome in outcomes),
        sum(outcome.output_token_count for outcome in outcomes),
        _sum(outcome.cached_token_count for outcome in outcomes),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    """The sum; null if one of them is."""
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total
