"""Faults of a fake server: every request fails with its reason or is answered rightly, once.

The server is the stub of this folder, which answers in place of a model; see `server_faults`. All
faults of a table are met in one session, each by prompts of its own, beside prompts that meet none.
"""

from __future__ import annotations

import asyncio
import json
import random
from array import array
from collections import Counter

import duckdb
import pytest
from aiohttp import web

from inference.asking.ask import ask_all
from inference.asking.client import Client, ClientSettings
from inference.asking.recording import Recorder
from inference.errors import EndpointError
from inference.planning.requests import Request, Sampling, Sequence
from tests.inference.asking.planned import write_plan
from tests.inference.asking.server_faults import (
    FAULTS_OF_ANSWERS,
    FAULTS_OF_CALLS,
    FAULTS_OF_COMPLETIONS,
    FAULTS_OF_WEIGHTS,
)
from tests.inference.asking.stub_server import answers, stub_server, token_log_likelihood
from warehouse.loading import load

SETTINGS = ClientSettings(
    concurrency=4, batch_size=2, attempt_limit=2, timeout_seconds=2, patience_seconds=20
)

FIRST_VICTIM = 1000
"""Token of the prompts that meet the first fault; the next one meets the second."""

HARMLESS = {
    # The tag that comes back is that of the first prompt.
    "the first for all",
}
"""Faults that a prompt may survive."""


class ShortPauses(random.Random):
    """Pauses between attempts are not what is tested here."""

    def uniform(self, a, b):
        return 0.01


def generation(*tokens):
    name = f"generation {tokens}"
    sequences = (Sequence(array("i", tokens)),)
    return Request(name, "generation", name, sampling=Sampling(4), sequences=sequences)


def weighing(context, *continuations):
    name = f"weighing {context} {continuations}"
    shared = array("i", context)
    return Request(
        name,
        "log_likelihood",
        name,
        tuple(str(one) for one in continuations),
        sequences=tuple(Sequence(shared, array("i", one)) for one in continuations),
    )


def requests(token):
    """One of each kind."""
    return [
        generation(token),
        weighing((1, token), (4, 5), (6,)),
        weighing((2, token), (4,), (5,)),
    ]


def victims(fault_count):
    """By number of the fault, the prompts that meet it, and the one that each of them shares a call
    with."""
    return [
        [pair for pair in zip(requests(FIRST_VICTIM + i), requests(500 + i), strict=True)]
        for i in range(fault_count)
    ]


def fault_of(prompt):
    """Number of the fault that a prompt meets; null for none."""
    return next((token - FIRST_VICTIM for token in prompt if token >= FIRST_VICTIM), None)


def expected(request):
    """Completion and log-likelihoods that the stub gives a request."""
    if request.kind == "generation":
        return answers({"input_ids": [request.sequences[0].context.tolist()]})[0]["text"], None
    return None, [
        sum(map(token_log_likelihood, sequence.continuation)) for sequence in request.sequences
    ]


def ask(stub, folder, session, pairs, settings=SETTINGS):
    write_plan(folder, session, (one for pair in pairs for one in pair))

    async def run():
        async with Client([stub.url], settings, generator=ShortPauses()) as client:
            await client.look(client.endpoints[0])
            recorder = Recorder(folder, session, look=client.look_at)
            groups = [[[one] for one in pair] for pair in pairs]
            await ask_all(client, groups, recorder)

    asyncio.run(run())


def stored(folder):
    """What is in the raw store: answers by request, and errors by session and request."""
    store = folder / "store.duckdb"
    report = load(folder, store)
    assert not report.refused
    with duckdb.connect(str(store), read_only=True) as connection:
        found = connection.execute(
            """
            select request_id, any_value(session_id), any_value(completion_text),
                list(log_likelihood order by continuation_index)
                    filter (log_likelihood is not null)
            from raw.answers
            left join raw.generations using (request_id)
            left join raw.log_likelihoods using (request_id)
            group by request_id"""
        ).fetchall()
        failed = connection.execute("select session_id, request_id, error from raw.failures")
        return {row[0]: row[1:] for row in found}, failed.fetchall()


def assert_right(found, everything):
    for name, (_, completion, log_likelihoods) in found.items():
        right_completion, right_log_likelihoods = expected(everything[name])
        assert completion == right_completion, name
        assert log_likelihoods == pytest.approx(right_log_likelihoods), name


def tried(folder, by_fault, answer):
    """Ask everything while the server is ill, and again when it is well; gives who failed."""
    pairs = [pair for pairs in by_fault for pair in pairs]
    everything = {one.request_id: one for pair in pairs for one in pair}
    with stub_server(answer_with=answer) as stub:
        ask(stub, folder, "first", pairs)
        found, failed = stored(folder)
        assert_right(found, everything)
        assert all(error for *_, error in failed)
        names = [name for _, name, _ in failed]
        # Neither lost nor doubled.
        assert Counter([*names, *found]) == Counter(everything.keys())
        stub.answer_with = None
        missing = [[one for one in pair if one.request_id in names] for pair in pairs]
        ask(stub, folder, "second", [pair for pair in missing if pair])
        later, _ = stored(folder)
    assert later.keys() == everything.keys()
    assert_right(later, everything)
    assert all(later[name] == row for name, row in found.items())
    return {name: error for _, name, error in failed}


@pytest.mark.slow(seconds=8)
def test_no_fault_of_a_call_ends_the_run_or_becomes_an_answer(tmp_path):
    names = list(FAULTS_OF_CALLS)
    by_fault = victims(len(names))

    def answer(call):
        faults = {fault_of(prompt) for prompt in call["input_ids"]} - {None}
        if not faults:
            return None
        (fault,) = faults
        return FAULTS_OF_CALLS[names[fault]](answers(call))

    failed = tried(tmp_path, by_fault, answer)
    for name, pairs in zip(names, by_fault, strict=True):
        for victim, _ in pairs:
            assert victim.request_id in failed or name in HARMLESS, (name, victim.request_id)


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_prompt_that_is_refused_fails_alone(tmp_path, code):
    by_fault = victims(1)

    def answer(call):
        if any(fault_of(prompt) is not None for prompt in call["input_ids"]):
            return web.Response(status=code, text="too much")
        return None

    failed = tried(tmp_path, by_fault, answer)
    assert failed.keys() == {victim.request_id for victim, _ in by_fault[0]}


FAULTS = [
    *((name, change, ("generation", "weighing")) for name, change in FAULTS_OF_ANSWERS.items()),
    *((name, change, ("generation",)) for name, change in FAULTS_OF_COMPLETIONS.items()),
    *((name, change, ("weighing",)) for name, change in FAULTS_OF_WEIGHTS.items()),
]


@pytest.mark.slow(seconds=1)
def test_a_fault_of_an_answer_fails_its_prompt_alone(tmp_path):
    by_fault = victims(len(FAULTS))

    def answer(call):
        said = answers(call)
        kind = "weighing" if call.get("return_logprob") else "generation"
        # What only warms the cache says nothing that is kept.
        is_warming = isinstance(call["sampling_params"], dict) and kind == "generation"
        for prompt, one in zip(call["input_ids"], said, strict=True):
            fault = fault_of(prompt)
            if fault is not None and kind in FAULTS[fault][2] and not is_warming:
                FAULTS[fault][1](one)
        # Not orjson, which has neither NaN nor numbers of any size nor halves of characters.
        return web.Response(body=json.dumps(said).encode(), content_type="application/json")

    failed = tried(tmp_path, by_fault, answer)
    for (name, _, kinds), pairs in zip(FAULTS, by_fault, strict=True):
        for victim, other in pairs:
            is_met = victim.request_id.startswith(kinds)
            assert (victim.request_id in failed) == is_met, (name, victim.request_id)
            assert other.request_id not in failed, (name, other.request_id)


def test_there_are_enough_faults():
    """As many as the README says."""
    assert len(FAULTS_OF_CALLS) >= 60
    assert len(FAULTS) >= 60
    assert len(FAULTS_OF_CALLS) + len(FAULTS) >= 150


def test_a_refused_token_ends_the_run_with_what_to_do(tmp_path):
    with (
        stub_server(answer_with=lambda _: web.Response(status=401)) as stub,
        pytest.raises(EndpointError, match="EVALWH_API_KEY"),
    ):
        ask(stub, tmp_path, "first", [[generation(1)]])
