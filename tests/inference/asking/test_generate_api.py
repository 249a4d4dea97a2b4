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
import pyarrow as pa
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.asking.client import Answer, Client, ClientSettings, Failure, bundles
from inference.asking.generate_api import (
    LEAST,
    STOP_REASONS,
    WARMING,
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
from warehouse.records import HIGHEST_LOG_LIKELIHOOD

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
        meta = {
            "finish_reason": {"type": "length"},
            "prompt_tokens": len(prompt),
            "completion_tokens": 0,
        }
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


@pytest.mark.parametrize(
    "written",
    ["NaN", "Infinity", "1e999", '"-1"', "true", "false", "[]", "3.0", "0.0002", "1e-3", "1"],
)
def test_what_is_no_log_probability_is_refused(written):
    (job,) = jobs_of(weighing([4]))
    body = json.loads(body_of([job]))
    content = said(body, {4: -12345.0}).replace(b"-12345.0", written.encode())
    (outcome,) = outcomes_of([job], content)
    assert isinstance(outcome, RequestError)


@pytest.mark.parametrize("continuations", [([4],), ([4, 5],), ([4], [5])])
@given(value=st.floats(-1, 1))
def test_a_log_probability_is_above_0_by_rounding_only(continuations, value):
    result, _ = told(weighing(*continuations), {4: value, 5: -9.0})
    if value > HIGHEST_LOG_LIKELIHOOD:
        assert isinstance(result, RequestError)
        assert f"log-likelihood of {value}" in str(result)
    else:
        assert result[0] == math.fsum([value, -9.0] if continuations == ([4, 5],) else [value])


def completion(text="yes", reason="stop", count=1):
    meta = {"finish_reason": {"type": reason}, "prompt_tokens": 1, "completion_tokens": count}
    return {"text": text, "meta_info": meta}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reason": None}, "finish_reason"),
        ({"reason": "tired"}, "its finish_reason is 'tired', not one of stop, length"),
        ({"text": "\ud83d"}, "surrogates not allowed"),
        ({"text": None}, "it has no text"),
        ({"count": -1}, ">= 0"),
        ({"count": 2**31}, "<= 2147483647"),
        ({"count": True}, "got `bool`"),
    ],
)
def test_a_completion_that_the_raw_store_cannot_hold_is_refused(changes, message):
    job = Job(Request("a", "generation", "a", sampling=Sampling(4)), 0)
    (outcome,) = outcomes_of([job], json.dumps([completion(**changes)]).encode())
    assert isinstance(outcome, RequestError)
    assert message in str(outcome)


def places(value):
    """Every container within `value`, and every key or index of it."""
    if isinstance(value, dict | list):
        for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from places(inner)


def valid_answers():
    """One job of every kind, with and without the best token, and what a server says to it."""
    generation = Request("a", "generation", "a", sampling=Sampling(4))
    yield Job(generation, 0), [completion()]
    yield Job(generation, WARMING), [completion()]
    for request in (weighing([4, 5]), weighing([4], [5])):
        (job,) = jobs_of(request)
        for with_best in (False, True):
            for values in ({4: -1.0, 5: -2.0}, {4: -math.inf, 5: -math.inf}):
                call = json.loads(body_of([job], with_best=with_best))
                yield job, json.loads(said(call, values))


STRANGE = (None, True, -1, 3.0, 2**31, "", "\ud83d", [], {})

DAMAGES = ["delete", "nest", "double", *STRANGE]


def damage(container, key, how):
    if how == "delete":
        del container[key]
    elif how in ("nest", "double"):
        container[key] = [container[key]] * (2 if how == "double" else 1)
    else:
        container[key] = how


def assert_failed_or_storable(job, answer):
    try:
        (outcome,) = outcomes_of([job], json.dumps(answer).encode())
    except UnreadableError:
        return
    if isinstance(outcome, RequestError):
        return
    expected = {"sequence": 1, "next_token": len(job.request.sequences)}.get(job.kind, 0)
    assert len(outcome.log_likelihoods) == expected
    assert all(value <= HIGHEST_LOG_LIKELIHOOD for value in outcome.log_likelihoods)
    if job.kind == "generation":
        assert outcome.stop_reason in STOP_REASONS
        outcome.completion.encode()
    for count in outcome[-3:-1]:
        assert pa.scalar(count, pa.int32()).as_py() >= 0
    # Null where the server does not say it.
    assert (pa.scalar(outcome.cached_token_count, pa.int32()).as_py() or 0) >= 0


@pytest.mark.parametrize("how", DAMAGES, ids=repr)
def test_an_answer_damaged_at_any_place_fails_or_can_be_stored(how):
    for index, (job, answer) in enumerate(valid_answers()):
        assert isinstance(outcomes_of([job], json.dumps(answer).encode())[0], Outcome | DoubtError)
        for place in range(len(list(places(answer)))):
            broken = [answer for _, answer in valid_answers()][index]
            container, key = list(places(broken))[place]
            damage(container, key, how)
            assert_failed_or_storable(job, broken)


@pytest.mark.slow(seconds=2)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_an_answer_damaged_at_several_places_fails_or_can_be_stored(data):
    job, answer = data.draw(st.sampled_from(list(valid_answers())))
    for _ in range(data.draw(st.integers(2, 5))):
        if found := list(places(answer)):
            container, key = data.draw(st.sampled_from(found))
            damage(container, key, data.draw(st.sampled_from(DAMAGES) | st.floats() | st.text()))
    assert_failed_or_storable(job, answer)


def test_a_position_of_which_nothing_is_said_is_an_error():
    (job,) = jobs_of(weighing([4], [5]))
    answer = completion()
    answer["meta_info"]["output_token_ids_logprobs"] = [[[None, 4, None], [None, 5, None]]]
    answer["meta_info"]["output_top_logprobs"] = []
    (outcome,) = outcomes_of([job], orjson.dumps([answer]))
    assert isinstance(outcome, RequestError)
    assert "not numbers" in str(outcome)


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
