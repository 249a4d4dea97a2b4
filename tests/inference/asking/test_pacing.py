"""Overload: pauses that a server asks for, fewer calls at once, and bounds on calls and hours."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from inference.asking.client import Answer, Client, ClientSettings, Failure, bundles
from inference.asking.generate_api import jobs_of, size_limit
from inference.asking.pacing import (
    LONGEST_PAUSE_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    Pace,
    pause_seconds,
    retry_after_seconds,
)
from inference.errors import EndpointError
from inference.planning.requests import Request, Sampling
from tests.inference.asking.server_faults import Raw, head
from tests.inference.asking.stub_server import stub_server
from tests.inference.asking.test_client import Closing, generation

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def said(moment):
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("007", 7),
        ("300", 300),
        ("301", LONGEST_RETRY_AFTER_SECONDS),
        ("9" * 10_000, LONGEST_RETRY_AFTER_SECONDS),
        ("-5", 0),
        ("1.5", 0),
        ("\u0667", 0),
        ("soon", 0),
        (said(NOW + timedelta(seconds=20)), 20),
        (said(NOW - timedelta(days=1)), 0),
        (said(NOW + timedelta(days=900)), LONGEST_RETRY_AFTER_SECONDS),
        ("Wed, 99 May 2024 12:00:00 GMT", 0),
        ("Wed, 01 May 99999999 12:00:00 GMT", 0),
    ],
)
def test_a_pause_that_is_asked_for_is_understood_and_bounded(value, seconds):
    assert retry_after_seconds(value, said(NOW)) == seconds


@given(value=st.text(), date=st.text())
def test_no_header_is_an_error(value, date):
    assert 0 <= retry_after_seconds(value, date) <= LONGEST_RETRY_AFTER_SECONDS


@given(count=st.integers(0, 10**6), seed=st.integers())
def test_pauses_grow_and_are_bounded(count, seed):
    pause = pause_seconds(count, random.Random(seed))
    longest = min(LONGEST_PAUSE_SECONDS, 0.25 * 2 ** min(count, 60))
    assert longest / 2 <= pause <= longest


class NoPauses(random.Random):
    def uniform(self, a, b):
        return 0.0


def paced(steps, concurrency=16):
    """Limits after each step."""

    async def run():
        pace = Pace(concurrency, NoPauses())
        found = []
        for step in steps:
            step(pace)
            found.append(pace.limit)
        return found

    return asyncio.run(run())


def refuse(pace):
    pace.refused(time.monotonic(), 0)


def test_a_refusal_halves_the_calls_at_once_and_answers_bring_them_back():
    limits = paced([refuse, refuse, *[Pace.answered] * 40])
    assert limits[:2] == [8, 4]
    # Then one more per round of calls: after 4, 5, 6, ... answers.
    assert [limits[1 + n] for n in (3, 4, 9, 15, 22)] == [4, 5, 6, 7, 8]


def test_calls_that_were_under_way_together_are_one_refusal():
    asked_at = time.monotonic()
    assert paced([lambda pace: pace.refused(asked_at, 0)] * 16)[-1] == 8


def test_after_a_fall_there_is_one_call_at_a_time_until_it_is_answered():
    assert paced([Pace.fell, *[Pace.answered] * 8]) == [1, 2, 3, 4, 5, 6, 7, 8, 8]


@given(steps=st.lists(st.sampled_from([refuse, Pace.fell, Pace.answered]), max_size=60))
def test_there_are_never_more_calls_than_the_limit_and_never_none(steps):
    async def run():
        pace = Pace(4, NoPauses())
        under_way = 0
        most = []

        async def call():
            nonlocal under_way
            async with pace.turn():
                under_way += 1
                most.append(under_way)
                await asyncio.sleep(0)
                under_way -= 1

        for step in steps:
            step(pace)
            assert 1 <= pace.limit <= 4
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(call())
        assert len(most) == 10
        assert max(most) <= pace.limit

    asyncio.run(run())


def ask(stub, requests, settings, generator=None):
    results = {}

    async def run():
        async with Client([stub.url], settings, generator=generator or NoPauses()) as client:
            await client.look(client.endpoints[0])
            async with asyncio.TaskGroup() as tasks:
                for bundle in bundles([[one] for one in requests], settings.batch_size):
                    tasks.create_task(
                        client.ask(
                            bundle,
                            lambda one: results.setdefault(one.request.request_id, []).append(one),
                        )
                    )

    asyncio.run(run())
    assert all(len(found) == 1 for found in results.values())
    return {name: found[0] for name, found in results.items()}


REQUESTS = [generation(str(i), i) for i in range(8)]


@pytest.mark.parametrize("status", [429, 503])
def test_overload_costs_no_attempts_while_health_is_fine(status):
    """More refusals than attempts, on a server that says it is healthy."""

    def refuse_ten(_):
        return web.Response(status=status) if len(stub.calls) <= 10 else None

    settings = ClientSettings(concurrency=2, batch_size=2, attempt_limit=2, patience_seconds=30)
    with stub_server() as stub:
        stub.answer_with = refuse_ten
        results = ask(stub, REQUESTS, settings)
    assert len(results) == 8
    assert all(isinstance(one, Answer) for one in results.values())


@pytest.mark.parametrize("status", [429, 503])
def test_overload_that_does_not_end_ends_the_run_with_a_message(status):
    settings = ClientSettings(concurrency=2, batch_size=2, patience_seconds=0.5)
    with (
        stub_server(answer_with=lambda _: web.Response(status=status, text="full")) as stub,
        pytest.raises(ExceptionGroup) as group,
    ):
        ask(stub, REQUESTS, settings)
    error = group.value.exceptions[0]
    assert isinstance(error, EndpointError)
    assert "has refused every call for" in str(error)
    assert f"{status}: full" in str(error)


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_asks_for_a_long_pause_does_not_stretch_patience(status):
    settings = ClientSettings(concurrency=2, batch_size=2, patience_seconds=0.5)
    headers = {"Retry-After": "300"}
    started = time.monotonic()
    with (
        stub_server(answer_with=lambda _: web.Response(status=status, headers=headers)) as stub,
        pytest.raises(ExceptionGroup) as group,
    ):
        ask(stub, REQUESTS, settings)
    assert "has refused every call for" in str(group.value.exceptions[0])
    assert time.monotonic() - started < 20


def test_a_prompt_that_is_always_refused_for_overload_fails_while_others_are_answered():
    def refuse_seven(call):
        return web.Response(status=429) if any(7 in one for one in call["input_ids"]) else None

    async def slowly():
        # The others go on being answered for longer than patience lasts.
        settings = ClientSettings(concurrency=4, batch_size=1, patience_seconds=0.5)
        results = []
        async with (
            Client([stub.url], settings, generator=NoPauses()) as client,
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(client.ask([[REQUESTS[7]]], results.append))
            for i in range(100, 180):
                await client.ask([[generation(str(i), i)]], results.append)
        return results

    with stub_server(answer_with=refuse_seven, delay_seconds=0.01) as stub:
        results = asyncio.run(slowly())
    assert [one.request.request_id for one in results if isinstance(one, Failure)] == ["7"]
    assert len(results) == 81


def test_all_calls_to_a_server_wait_as_long_as_it_asks_one_of_them():
    moments = []

    def ask_to_wait(_):
        moments.append(time.monotonic())
        return web.Response(status=429, headers={"Retry-After": "1"}) if len(moments) == 1 else None

    settings = ClientSettings(concurrency=1, batch_size=1)
    with stub_server(answer_with=ask_to_wait) as stub:
        results = ask(stub, REQUESTS[:4], settings)
    assert len(results) == 4
    assert moments[1] - moments[0] >= 1


def test_there_are_fewer_calls_at_once_under_overload():
    under_way = []

    def refuse_the_first(call):
        return web.Response(status=429) if len(stub.calls) <= 4 else None

    settings = ClientSettings(concurrency=4, batch_size=1)

    async def run():
        async with Client([stub.url], settings, generator=NoPauses()) as client:
            pace = client.endpoints[0].pace
            async with asyncio.TaskGroup() as tasks:
                for request in REQUESTS:
                    tasks.create_task(client.ask([[request]], lambda _: None))
                while len(stub.calls) < 8:
                    under_way.append(pace.limit)
                    await asyncio.sleep(0.005)

    with stub_server(answer_with=refuse_the_first, delay_seconds=0.05) as stub:
        asyncio.run(run())
    assert min(under_way) == 2


PROMPTS = [generation(str(i), i) for i in range(32)]

BOUNDED = ClientSettings(concurrency=32, batch_size=32, attempt_limit=5, timeout_seconds=5)


def bound(settings):
    """Calls of a batch, as the client's documentation has them."""
    return 2 * settings.batch_size - 1 + settings.attempt_limit


def test_the_bound_is_the_one_that_is_stated():
    defaults = ClientSettings()
    hours = (
        (1 + math.log2(defaults.batch_size) + defaults.attempt_limit)
        * defaults.timeout_seconds
        / 3600
    )
    assert f"{bound(defaults)} calls, and {hours:.1f} hours" in " ".join(Client.__doc__.split())


@pytest.mark.parametrize(
    ("answer", "call_count"),
    [
        (lambda: web.Response(status=400), 63),
        (lambda: web.Response(status=500), 5),
        (lambda: web.Response(status=404), 1),
        (lambda: web.Response(body=b"<html>"), 5),
        (lambda: Raw(head(length=10), b"["), None),
    ],
)
def test_a_batch_that_nothing_can_answer_takes_no_more_calls_than_stated(answer, call_count):
    with stub_server(answer_with=lambda _: answer()) as stub:
        results = ask(stub, PROMPTS, BOUNDED)
        assert len(stub.calls) == call_count or (call_count is None)
        assert len(stub.calls) <= bound(BOUNDED)
    assert len(results) == 32
    assert all(isinstance(one, Failure) for one in results.values())


def test_halves_are_asked_at_the_same_time():
    """63 calls of a tenth of a second each, of which no more than six follow each other."""

    class Late(web.Response):
        async def prepare(self, request):
            await asyncio.sleep(0.1)
            return await super().prepare(request)

    started = time.monotonic()
    with stub_server(answer_with=lambda _: Late(status=400)) as stub:
        ask(stub, PROMPTS, BOUNDED)
        assert len(stub.calls) == 63
    assert time.monotonic() - started < 63 * 0.1 * 0.75


def test_a_prompt_that_kills_its_server_costs_no_more_than_stated_and_no_other_prompt():
    def close_on_seven(call):
        return Closing() if any(7 in one for one in call["input_ids"]) else None

    with stub_server(answer_with=close_on_seven) as stub:
        results = ask(stub, PROMPTS, BOUNDED)
        assert len(stub.calls) <= bound(BOUNDED)
    assert {name for name, one in results.items() if isinstance(one, Failure)} == {"7"}


@given(
    new_tokens=st.integers(1, 5000),
    text=st.text(st.characters(codec="utf-8"), max_size=20),
    count=st.integers(1, 3),
)
def test_an_answer_has_room_for_its_tokens_in_the_longest_way_to_write_them(
    new_tokens, text, count
):
    request = Request("a", "generation", "a", sampling=Sampling(new_tokens))
    jobs = jobs_of(request) * count
    # Twelve bytes for a character beyond the first plane; tokens of more than 21 are made of ASCII.
    written = json.dumps([{"text": text * new_tokens}] * count)
    assert len(written) <= size_limit(jobs) or len(text) * 12 > 256


@pytest.mark.parametrize("says_its_size", [True, False])
def test_an_answer_that_is_too_long_is_not_read_to_its_end(says_its_size):
    sent = []

    class Endless(web.Response):
        async def prepare(self, request):
            request.transport.write(
                head(length=1 << 40) if says_its_size else head(b"Transfer-Encoding: chunked")
            )
            while request.transport is not None and not request.transport.is_closing():
                if not says_its_size:
                    request.transport.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                sent.append(65536)
                await asyncio.sleep(0.001)
                if len(sent) > 2000:
                    break
            return await super().prepare(request)

    settings = ClientSettings(concurrency=1, batch_size=1, attempt_limit=1, timeout_seconds=20)
    with stub_server(answer_with=lambda _: Endless()) as stub:
        results = ask(stub, REQUESTS[:1], settings)
    assert "its answer is longer than the 66,560 bytes that one can have" in results["0"].error
    assert len(sent) < 500
