"""The client, against a stub: waves, faults, retries."""

from __future__ import annotations

import asyncio
import threading
from array import array

import pytest
from aiohttp import web

from inference.asking.client import Answer, Client, ClientSettings, Failure, bundles
from inference.errors import EndpointError, ModelChangedError
from inference.planning.requests import Request, Sampling, Sequence
from tests.inference.asking.stub_server import Stub, answers, stub_server, token_log_likelihood

FAST = ClientSettings(concurrency=4, batch_size=4, attempt_limit=2, patience_seconds=10)


class Closing(web.Response):
    """What the death of a server looks like from the other end."""

    async def prepare(self, request):
        request.transport.close()
        return await super().prepare(request)


def ids(*tokens):
    return array("i", tokens)


def generation(name, *tokens):
    return Request(
        name, "generation", name, sampling=Sampling(4, ("\n",)), sequences=(Sequence(ids(*tokens)),)
    )


def weighing(name, context, *continuations):
    shared = ids(*context)
    return Request(
        name,
        "log_likelihood",
        name,
        tuple(str(one) for one in continuations),
        sequences=tuple(Sequence(shared, ids(*one)) for one in continuations),
    )


def ask(stub: Stub, groups, settings=FAST):
    results = {}

    async def run():
        async with Client([stub.url], settings) as client:
            for bundle in bundles(groups, settings.batch_size):
                await client.ask(
                    bundle, lambda result: results.update({result.request.request_id: result})
                )

    asyncio.run(run())
    return results


def test_a_completion_comes_back_with_its_counts():
    with stub_server() as stub:
        results = ask(stub, [[generation("a", 1, 2, 3)]])
    answer = results["a"]
    assert isinstance(answer, Answer)
    assert answer.completion == answers({"input_ids": [[1, 2, 3]]})[0]["text"]
    assert (answer.input_token_count, answer.output_token_count) == (3, 1)
    assert (answer.stop_reason, answer.attempt_count) == ("stop", 1)
    assert stub.calls[0]["sampling_params"] == [
        {"max_new_tokens": 4, "temperature": 0.0, "stop": ["\n"]}
    ]


def test_log_likelihoods_are_sums_over_the_continuation_only():
    with stub_server() as stub:
        results = ask(stub, [[weighing("a", (1, 2, 3), (4, 5), (6, 8, 9))]])
    expected = [
        sum(token_log_likelihood(token) for token in tokens) for tokens in ((4, 5), (6, 8, 9))
    ]
    assert results["a"].log_likelihoods == pytest.approx(expected)
    assert results["a"].token_counts == (2, 3)
    # From the last token of the context on: more would be computed anew.
    assert {start for call in stub.calls for start in call["logprob_start_len"]} == {2}


def test_choices_of_one_token_take_one_call_and_give_the_same_numbers():
    with stub_server() as stub:
        single = ask(stub, [[weighing("a", (1, 2), (4,), (5,), (6,))]])
        assert len(stub.calls) == 1
        assert stub.calls[0]["token_ids_logprob"] == [[4, 5, 6]]
        each = ask(stub, [[weighing(str(token), (1, 2), (token,))] for token in (4, 5, 6)])
    assert single["a"].log_likelihoods == tuple(
        each[str(token)].log_likelihoods[0] for token in (4, 5, 6)
    )


def test_contexts_that_differ_are_never_one_look():
    one = weighing("a", (1, 2), (4,), (5,))
    assert one.is_single_token
    other = Request(
        "b",
        "log_likelihood",
        "b",
        ("4", "5"),
        sequences=(Sequence(ids(1, 2), ids(4)), Sequence(ids(1, 3), ids(5))),
    )
    assert not other.is_single_token
    assert not weighing("c", (1, 2), (4,), (5, 6)).is_single_token


def test_the_prefix_of_a_group_is_warm_before_the_others_are_sent():
    order = []
    answered = threading.Event()

    def watch(call):
        order.append((len(call["input_ids"]), answered.is_set()))
        answered.set()

    with stub_server(answer_with=watch) as stub:
        results = ask(stub, [[generation(str(i), 1, 2, i) for i in range(9)]])
    assert len(results) == 9
    assert order[0] == (1, False)
    assert sorted(count for count, _ in order[1:]) == [1, 4, 4]
    assert all(was_answered for _, was_answered in order[1:])


def test_small_groups_share_their_waves():
    groups = [[generation(f"{group}{i}", group, i) for i in range(2)] for group in range(2)]
    with stub_server() as stub:
        assert len(ask(stub, groups)) == 4
    assert [len(call["input_ids"]) for call in stub.calls] == [2, 4]
    assert [tokens[0] for tokens in stub.calls[0]["input_ids"]] == [0, 1]
    # The first wave only warms: nobody waits for its completions.
    assert stub.calls[0]["sampling_params"]["max_new_tokens"] == 1


def test_the_first_of_several_continuations_warms_the_others():
    with stub_server() as stub:
        results = ask(stub, [[weighing("a", (1, 2), (3, 4), (5, 6), (7, 8))]])
    assert len(results["a"].log_likelihoods) == 3
    assert [len(call["input_ids"]) for call in stub.calls] == [1, 2]


@pytest.mark.parametrize("status", [429, 500, 502])
def test_a_refusal_that_may_pass_is_tried_again(status):
    refused = []

    def refuse_once(call):
        if not refused:
            refused.append(call)
            return web.Response(status=status, text="busy")
        return None

    with stub_server(answer_with=refuse_once) as stub:
        results = ask(stub, [[generation("a", 1)]])
    assert results["a"].attempt_count == 2


def test_one_bad_prompt_fails_alone():
    def refuse_seven(call):
        if any(7 in prompt for prompt in call["input_ids"]):
            return web.Response(status=400, text="bad prompt")
        return None

    with stub_server(answer_with=refuse_seven) as stub:
        results = ask(stub, [[generation(str(i), i)] for i in range(5, 9)])
    assert {name for name, one in results.items() if isinstance(one, Failure)} == {"7"}
    assert "bad prompt" in results["7"].error
    assert isinstance(results["8"], Answer)


def test_a_prompt_that_kills_every_server_fails_alone():
    def close_on_seven(call):
        if any(7 in prompt for prompt in call["input_ids"]):
            return Closing()
        return None

    with stub_server(answer_with=close_on_seven) as stub:
        results = ask(stub, [[generation(str(i), i)] for i in range(6, 8)])
    assert isinstance(results["6"], Answer)
    assert "the server went away" in results["7"].error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda meta: meta.update(finish_reason={"type": "abort"}), "gave up"),
        (lambda meta: meta["input_token_logprobs"][-1].__setitem__(0, float("nan")), "of nan"),
        (lambda meta: meta["input_token_logprobs"][-1].__setitem__(0, None), "no log-probability"),
        (lambda meta: meta["input_token_logprobs"][-1].__setitem__(0, 1e999), "of inf"),
        (lambda meta: meta["input_token_logprobs"][-1].__setitem__(0, "-1"), "cannot be read"),
        (lambda meta: meta["input_token_logprobs"][-1].__setitem__(1, 99), "asked were"),
        (lambda meta: meta.pop("input_token_logprobs"), "cannot be read"),
    ],
)
def test_nonsense_is_a_failure_and_never_a_number(change, message):
    def nonsense(call):
        said = answers(call)
        change(said[0]["meta_info"])
        return web.json_response(said)

    with stub_server(answer_with=nonsense) as stub:
        results = ask(stub, [[weighing("a", (1, 2), (3, 4))]])
    assert isinstance(results["a"], Failure)
    assert message in results["a"].error


def test_a_server_that_is_away_too_long_ends_the_run():
    async def run():
        settings = ClientSettings(patience_seconds=1)
        async with Client(["http://127.0.0.1:9"], settings) as client:
            await client.ask([[generation("a", 1)]], lambda _: None)

    with pytest.raises(EndpointError, match="has been away"):
        asyncio.run(run())


def test_a_server_that_comes_back_with_another_model_ends_the_run():
    fell = []

    async def run(stub):
        async with Client([stub.url], FAST) as client:
            await client.look(client.endpoints[0])
            await client.ask([[generation("a", 1)]], lambda _: None)

    with stub_server() as stub:

        def fall_once(_):
            if not fell:
                fell.append(True)
                stub.model_path = "another/model"
                return Closing()
            return None

        stub.answer_with = fall_once
        with pytest.raises(ModelChangedError, match="model_path 'stub/model' is now 'another/"):
            asyncio.run(run(stub))


def test_several_servers_share_the_work():
    results = []

    async def run(urls):
        async with Client(urls, FAST) as client, asyncio.TaskGroup() as tasks:
            for i in range(20):
                tasks.create_task(client.ask([[generation(str(i), i)]], results.append))

    with stub_server(delay_seconds=0.05) as one, stub_server(delay_seconds=0.05) as other:
        asyncio.run(run([one.url, other.url]))
    assert len(results) == 20
    assert len(one.calls) == len(other.calls) == 10
