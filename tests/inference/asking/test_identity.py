"""Which model answered: a change ends the run, and no answer counts that could be another's."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import os

import duckdb
import pyarrow.parquet as pq
import pytest
from aiohttp import web
from rich.console import Console

from inference.asking.ask import ask_all
from inference.asking.client import Client, ClientSettings, Failure
from inference.asking.identity import ModelFolder, weights_fingerprint
from inference.asking.progress import RunProgress
from inference.asking.recording import UNCONFIRMED, Recorder
from inference.asking.running import run
from inference.errors import EndpointError, ModelChangedError
from tests.inference.asking.planned import write_plan
from tests.inference.asking.stub_server import answers, stub_server
from tests.inference.asking.test_client import generation, weighing
from warehouse.loading import load

SETTINGS = ClientSettings(concurrency=2, batch_size=2, attempt_limit=2, patience_seconds=2)

CHANGES = {
    "model_path": "another/model",
    "revision": "r2",
    "weight_version": "step-2",
    "context_length": 1024,
    "more_info": {"dtype": "bfloat16"},
}


def ask(stub, folder, requests, **settings):
    results = []
    write_plan(folder, "session", requests)

    async def asked():
        async with Client([stub.url], SETTINGS) as client:
            await client.look(client.endpoints[0])
            recorder = Recorder(
                folder, "session", on_acknowledged=results.extend, look=client.look_at, **settings
            )
            try:
                await ask_all(client, [[[one]] for one in requests], recorder)
            finally:
                results.append(recorder)

    try:
        asyncio.run(asked())
    finally:
        recorder = results.pop()
        ask.counts = (len(results), recorder.unconfirmed_count, recorder.pending_count)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_between_two_shards_sets_aside_what_came_since_the_last_look(tmp_path, name):
    """The connection stays: nothing but a look could tell."""

    changed_at = []

    def change_after_a_shard(_):
        if not changed_at and any(tmp_path.glob("*.answers.*")):
            setattr(stub, name, CHANGES[name])
            changed_at.append(len(stub.calls))

    requests = [generation(str(i), i) for i in range(500)]
    with stub_server(delay_seconds=0.02) as stub:
        stub.answer_with = change_after_a_shard
        with pytest.raises(ModelChangedError, match="serves another model than when the run began"):
            ask(stub, tmp_path, requests, age_limit=0.05)
    acknowledged, unconfirmed, pending = ask.counts
    load(tmp_path, tmp_path / "store.duckdb")
    with duckdb.connect(str(tmp_path / "store.duckdb"), read_only=True) as connection:
        (stored,) = connection.execute("select count(*) from raw.answers").fetchone()
    files = list((tmp_path / UNCONFIRMED).iterdir())
    set_aside = [name for file in files for name in pq.read_table(file)["request_id"].to_pylist()]
    # What the server said after the change is never among what counts.
    assert 0 < stored == acknowledged < changed_at[0]
    assert unconfirmed == len(set_aside) == len(set(set_aside)) > 0
    assert pending == 0
    # Even if somebody loads the folder: these are no shards.
    assert load(tmp_path / UNCONFIRMED, tmp_path / "other.duckdb").shard_count == 0


def test_other_weights_that_an_answer_names_end_the_run(tmp_path):
    def answer(call):
        said = answers(call)
        for one in said:
            one["meta_info"]["weight_version"] = "step-2"
        return web.json_response(said)

    with (
        stub_server(answer_with=answer) as stub,
        pytest.raises(ModelChangedError, match="answered with the weights 'step-2'"),
    ):
        ask(stub, tmp_path, [generation("a", 1)])
    assert ask.counts[0] == 0


def test_what_cannot_be_looked_at_waits_and_counts_when_it_can(tmp_path):
    def hide_and_come_back(_):
        stub.info_status = 500 if len(stub.calls) in range(3, 9) else 200

    requests = [generation(str(i), i) for i in range(12)]
    with stub_server(delay_seconds=0.02) as stub:
        stub.answer_with = hide_and_come_back
        ask(stub, tmp_path, requests, age_limit=0.0)
    assert ask.counts == (12, 0, 0)


def test_what_can_never_be_looked_at_again_is_set_aside(tmp_path):
    def hide(_):
        stub.info_status = 500

    with stub_server() as stub:
        stub.answer_with = hide
        with pytest.raises(EndpointError, match="could not be looked at again for 2 s"):
            ask(stub, tmp_path, [generation("a", 1)])
    assert ask.counts == (0, 1, 0)


def test_an_answer_with_the_id_of_another_prompt_is_refused(tmp_path):
    def swap(call):
        said = answers(call)
        return web.json_response(said[::-1])

    results = {}

    async def asked():
        async with Client([stub.url], SETTINGS) as client:
            await client.ask(
                [[generation("a", 1)], [generation("b", 2)]],
                lambda one: results.update({one.request.request_id: one}),
            )

    with stub_server(answer_with=swap) as stub:
        asyncio.run(asked())
        tags = [tag for call in stub.calls for tag in call["rid"]]
    assert all(isinstance(one, Failure) for one in results.values())
    assert "may be that of another prompt" in results["a"].error
    assert len(set(tags)) == len(tags)


def test_every_attempt_has_an_id_of_its_own():
    """SGLang refuses an id that is still at work in it, as after a call that took too long."""

    def refuse_once(_):
        return web.Response(status=500) if len(stub.calls) == 1 else None

    async def asked():
        async with Client([stub.url], SETTINGS) as client:
            await client.ask([[weighing("a", (1,), (2,), (3,))]], lambda _: None)

    with stub_server(answer_with=refuse_once) as stub:
        asyncio.run(asked())
        first, second = (call["rid"] for call in stub.calls)
    assert first != second


def test_a_run_says_what_became_of_the_answers(config):
    config = dataclasses.replace(config, benchmark_ids=("gsm8k",))

    def change(call):
        stub.revision = "r2"

    with stub_server() as stub:
        stub.answer_with = change
        config = dataclasses.replace(config, endpoints=(stub.url,))
        with (
            RunProgress(Console(file=io.StringIO())) as progress,
            pytest.raises(ModelChangedError) as error,
        ):
            run(config, progress)
    message = str(error.value)
    assert "revision 'r1' is now 'r2'" in message
    assert f"are set aside in {config.shards / UNCONFIRMED}" in message
    assert "0 answers of this session are kept" in message


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights" * 1000)
    (folder / "config.json").write_text(json.dumps({"model_type": "stub"}))
    return folder


def test_a_folder_is_read_again_only_when_it_was_touched(folder, monkeypatch):
    watched = ModelFolder(str(folder))
    first = watched.fingerprint()
    assert first == weights_fingerprint(folder)
    monkeypatch.setattr("inference.asking.identity.weights_fingerprint", lambda _: "read again")
    assert watched.fingerprint() == first
    os.utime(folder / "config.json", ns=(1, 1))
    assert watched.fingerprint() == "read again"


def test_weights_that_change_under_a_server_end_the_run(folder, tmp_path):
    def train(_):
        (folder / "model.safetensors").write_bytes(b"further" * 1000)

    with (
        stub_server(model_path=str(folder), answer_with=train) as stub,
        pytest.raises(ModelChangedError, match="weights 'weights-"),
    ):
        ask(stub, tmp_path / "shards", [generation("a", 1)])
    assert ask.counts == (0, 1, 0)


@pytest.mark.parametrize(
    "said",
    [
        {"model_path": 5},
        {"model_path": None},
        {"served_model_name": ["a"]},
        {"is_generation": "yes"},
        {"weight_version": 3},
        {"max_req_input_len": "2042"},
        {"max_req_input_len": True},
        {"max_req_input_len": -1},
        {"max_req_input_len": 2**70},
        {"revision": {"sha": "r1"}},
        {"is_generation": False},
    ],
    ids=str,
)
def test_a_server_that_describes_itself_wrongly_is_refused_by_the_field(config, said):
    with stub_server(more_info=said) as stub:
        config = dataclasses.replace(config, endpoints=(stub.url,))
        with (
            RunProgress(Console(file=io.StringIO())) as progress,
            pytest.raises(EndpointError, match="is no SGLang server that generates"),
        ):
            run(config, progress)
    assert not stub.calls
