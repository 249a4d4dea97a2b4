"""The format of `/generate`: minus infinity is a value, NaN is refused, and null is told apart.

The answers are those of a made-up server that writes as SGLang 0.5.23 does: with orjson, whose
null stands for both.
"""

from __future__ import annotations

import asyncio
import json
import math
from array import array

import msgspec
import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from inference.asking.client import Answer, Client, ClientSettings, Failure, bundles
from inference.asking.generate_api import (
    LEAST,
    DoubtError,
    Job,
    Outcome,
    UnreadableError,
    body_of,
    jobs_of,
    outcomes_of,
)
from inference.errors import RequestError
from inference.planning.requests import Request, Sampling, Sequence
from tests.inference.asking.stub_server import stub_server

CONTEXT = array("i", [1, 2, 3])


def weighing(*continuations):
    return Request(
        "a",
        "log_likelihood",
        "a",
        tuple(str(one) for one in continuations),
        sequences=tuple(Sequence(CONTEXT, array("i", one)) for one in continuations),
    )


def said(call, values):
    """What SGLang says when `values` are the log-probabilities of tokens; NaN is a whole row's."""
    answers = []
    for index, prompt in enumerate(call["input_ids"]):
        meta = {"finish_reason": {"type": "length"}, "prompt_tokens": 1, "completion_tokens": 0}
        if "token_ids_logprob" in call:
            tokens = call["token_ids_logprob"][index]
            meta["output_token_ids_logprobs"] = [[[values[one], one, None] for one in tokens]]
            if "top_logprobs_num" in call:
                is_lost = any(math.isnan(values[one]) for one in tokens)
                meta["output_top_logprobs"] = [[[math.nan if is_lost else -0.1, 9, None]]]
        else:
            start = call["logprob_start_len"][index]
            # The first token was not predicted from anything.
            tokens = prompt[start:]
            meta["input_token_logprobs"] = [[None, tokens[0], None]] + [
                [values[one], one, None] for one in tokens[1:]
            ]
            if "top_logprobs_num" in call:
                meta["input_top_logprobs"] = [None] + [
                    [[math.nan if math.isnan(values[one]) else -0.1, 9, None]] for one in tokens[1:]
                ]
        answers.append({"text": "", "meta_info": meta})
    return orjson.dumps(answers)


def told(request, values):
    """The log-likelihoods that a client gets to know, or the error; and how many calls it took."""
    calls = 0
    found = []
    for job in jobs_of(request):
        for with_best in (False, True):
            calls += 1
            body = orjson.loads(body_of([job], with_best=with_best))
            (outcome,) = outcomes_of([job], said(body, values))
            if not isinstance(outcome, DoubtError):
                break
        if isinstance(outcome, RequestError):
            return outcome, calls
        found += outcome.log_likelihoods
    return tuple(found), calls


log_probabilities = st.one_of(
    st.floats(-1e30, 0), st.just(-math.inf), st.just(math.nan), st.just(LEAST)
)


@given(values=st.lists(log_probabilities, min_size=4, max_size=4))
def test_a_sum_is_minus_infinity_where_a_token_is_impossible_and_never_made_of_nan(values):
    tokens = [4, 5, 6, 7]
    result, calls = told(weighing(tokens), dict(zip(tokens, values, strict=True)))
    if any(math.isnan(value) for value in values):
        assert isinstance(result, RequestError)
        assert "not numbers" in str(result)
    else:
        # A server writes its least number for minus infinity.
        whole = math.fsum(values)
        assert result == (whole if whole > LEAST else -math.inf,)
    assert calls == 1 + any(not math.isfinite(value) for value in values)


@given(values=st.lists(st.floats(-1e30, 0) | st.just(-math.inf), min_size=4, max_size=4))
def test_choices_without_mass_are_told_from_the_others(values):
    tokens = [4, 5, 6, 7]
    request = weighing(*([token] for token in tokens))
    result, calls = told(request, dict(zip(tokens, values, strict=True)))
    assert result == tuple(values)
    # One number among the choices is enough to tell.
    assert calls == 1 + all(value == -math.inf for value in values)


def test_a_position_without_a_distribution_is_an_error():
    values = dict.fromkeys([4, 5], math.nan)
    result, calls = told(weighing([4], [5]), values)
    assert isinstance(result, RequestError)
    assert calls == 2


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("-Infinity", -math.inf),
        ("-3.4e38", -3.4e38),
        ("-3.4028234663852886e+38", -math.inf),
        ("-1e999", -math.inf),
    ],
)
def test_other_ways_to_write_minus_infinity_are_read(written, expected):
    (job,) = jobs_of(weighing([4]))
    body = json.loads(body_of([job]))
    content = said(body, {4: -12345.0}).replace(b"-12345.0", written.encode())
    (outcome,) = outcomes_of([job], content)
    assert isinstance(outcome, Outcome)
    assert outcome.log_likelihoods == (expected,)


@pytest.mark.parametrize("written", ["NaN", "Infinity", "1e999", '"-1"', "true", "[]"])
def test_what_is_no_log_probability_is_refused(written):
    (job,) = jobs_of(weighing([4]))
    body = json.loads(body_of([job]))
    content = said(body, {4: -12345.0}).replace(b"-12345.0", written.encode())
    (outcome,) = outcomes_of([job], content)
    assert isinstance(outcome, RequestError)


def test_one_answer_that_cannot_be_read_fails_alone():
    requests = [Request(name, "generation", name, sampling=Sampling(4)) for name in "abc"]
    jobs = [Job(request, 0) for request in requests]
    meta = {"finish_reason": {"type": "stop"}, "prompt_tokens": 1, "completion_tokens": 1}
    good = {"text": "yes", "meta_info": meta}
    bad = {"text": 3, "meta_info": meta}
    first, second, third = outcomes_of(jobs, orjson.dumps([good, bad, good]))
    assert first.completion == third.completion == "yes"
    assert isinstance(second, RequestError)
    assert "text" in str(second)


@pytest.mark.parametrize("content", [b"", b"oops", b"[{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_may_be_asked_again(content):
    jobs = jobs_of(weighing([4]))
    with pytest.raises(UnreadableError, match="not JSON") as error:
        outcomes_of(jobs, content)
    assert not error.value.is_final


def test_another_number_of_answers_is_final():
    jobs = jobs_of(weighing([4]))
    with pytest.raises(UnreadableError, match="2 prompts of 1") as error:
        outcomes_of(jobs, b"[{}, {}]")
    assert error.value.is_final


@given(content=st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_no_answer_whatsoever_is_a_number(content):
    jobs = jobs_of(weighing([4]))
    try:
        (outcome,) = outcomes_of(jobs, msgspec.json.encode([content]))
    except UnreadableError:
        return
    assert isinstance(outcome, RequestError)


def test_the_client_asks_again_only_what_is_in_doubt():
    values = {4: -math.inf, 5: math.nan, 6: -2.0}

    def answer(call):
        return web.Response(body=said(call, values), content_type="application/json")

    requests = [
        Request(str(token), "log_likelihood", str(token), ("x",), sequences=(one,))
        for token in values
        for one in [Sequence(CONTEXT, array("i", [token]))]
    ]
    results = {}

    async def run(url):
        async with Client([url], ClientSettings(batch_size=4, attempt_limit=1)) as client:
            for bundle in bundles([[one] for one in requests], 4):
                await client.ask(
                    bundle, lambda result: results.update({result.request.request_id: result})
                )

    with stub_server(answer_with=answer) as stub:
        asyncio.run(run(stub.url))
        assert [len(call["input_ids"]) for call in stub.calls] == [3, 2]
        assert [call.get("top_logprobs_num") for call in stub.calls] == [None, 1]
    assert isinstance(results["4"], Answer)
    assert results["4"].log_likelihoods == (-math.inf,)
    assert isinstance(results["5"], Failure)
    assert results["6"].log_likelihoods == (-2.0,)
