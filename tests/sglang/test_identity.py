"""The real server names the answer to each prompt, its weights, and what it wants to be opened."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from array import array

import duckdb
import pytest
import requests
from rich.console import Console

from inference.asking.client import Answer, Client, ClientSettings
from inference.asking.generate_api import WARMING, Job, Outcome, body_of, jobs_of, outcomes_of
from inference.asking.progress import RunProgress
from inference.asking.running import run
from inference.asking.serving import serving
from inference.asking.sessions import RunConfig
from inference.credentials import API_KEY
from inference.errors import EndpointError, ModelChangedError, RequestError
from inference.planning.requests import Request, Sampling, Sequence
from tests.sglang.servers import MODEL_ID
from warehouse.loading import load

KEY = "planted-key"


@pytest.fixture(scope="module")
def locked(serve_config, tmp_path_factory):
    """A server that wants a key, and its log."""
    config = dataclasses.replace(
        serve_config,
        arguments=("--api-key", KEY),
        log=tmp_path_factory.mktemp("locked") / "server.log",
    )
    with serving(config) as url:
        yield url, config.log


def ids(*tokens):
    return array("i", tokens)


CONTEXT = ids(1, 2, 3)

GENERATION = Request(
    "g", "generation", "g", sampling=Sampling(4, ("\n",)), sequences=(Sequence(ids(1, 2)),)
)
SEQUENCES = Request(
    "s", "log_likelihood", "s", ("a", "b"), None, 0, (Sequence(CONTEXT, ids(4, 5)),) * 2
)
CHOICES = Request(
    "n",
    "log_likelihood",
    "n",
    ("a", "b"),
    sequences=(Sequence(CONTEXT, ids(4)), Sequence(CONTEXT, ids(5))),
)


@pytest.mark.parametrize(
    "jobs",
    [
        jobs_of(GENERATION) * 2,
        [Job(GENERATION, WARMING)] * 2,
        jobs_of(SEQUENCES),
        jobs_of(CHOICES) * 2,
        [Job(Request("t", "generation", "a text", sampling=Sampling(2)), 0)] * 2,
    ],
    ids=["generation", "warming", "sequence", "next_token", "text"],
)
@pytest.mark.parametrize("count", [1, 2])
def test_every_answer_repeats_the_id_of_its_prompt(locked, jobs, count):
    url, _ = locked
    jobs = jobs[:count]
    tags = [f"tag-{id(jobs)}-{index}" for index in range(count)]
    content = requests.post(
        f"{url}/generate",
        data=body_of(jobs, tags),
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        timeout=300,
    ).content
    assert all(isinstance(one, Outcome) for one in outcomes_of(jobs, content, tags, "default"))
    others = [f"another {tag}" for tag in tags]
    assert all(isinstance(one, RequestError) for one in outcomes_of(jobs, content, others))
    with pytest.raises(ModelChangedError, match="the weights 'default'"):
        outcomes_of(jobs, content, tags, "step-2")


@pytest.fixture
def config(locked, tmp_path):
    url, _ = locked
    return RunConfig(
        model_id=MODEL_ID,
        benchmark_ids=("mmlu", "gsm8k"),
        endpoints=(url,),
        item_set="demo",
        limit=4,
        shards=tmp_path / "shards",
        store=tmp_path / "generations.duckdb",
        client=ClientSettings(concurrency=4, batch_size=4),
    )


def ask(config):
    with RunProgress(Console(file=io.StringIO())) as progress:
        return run(config, progress)


def test_a_key_opens_the_server_and_is_kept_nowhere(config, locked, monkeypatch):
    monkeypatch.delenv(API_KEY, raising=False)
    with pytest.raises(EndpointError, match="EVALWH_API_KEY"):
        ask(config)
    monkeypatch.setenv(API_KEY, KEY)
    report = ask(config)
    assert report.answered_count == report.planned_count > 0
    load(config.shards, config.store)
    with duckdb.connect(str(config.store), read_only=True) as connection:
        said = str(connection.execute("select * from raw.run_sessions").fetchall())
    # Of what it was started with, which its own description has.
    assert '"dtype": "float32"' in said
    assert KEY not in said
    assert KEY.encode() not in locked[1].read_bytes()
    assert b"'api_key': '***'" in locked[1].read_bytes()


def test_weights_that_are_replaced_are_noticed_without_a_restart(locked):
    url, _ = locked

    def name_weights(version):
        requests.post(
            f"{url}/update_weight_version",
            json={"new_version": version, "abort_all_requests": False},
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=60,
        ).raise_for_status()

    async def asked():
        async with Client([url], ClientSettings(), api_key=KEY) as client:
            (endpoint,) = client.endpoints
            await client.look(endpoint)
            results = []
            await client.ask([[GENERATION]], results.append)
            assert isinstance(results[0], Answer)
            name_weights("step-2")
            with pytest.raises(ModelChangedError, match="weights 'step-2'; the run began with"):
                await client.ask(
                    [[dataclasses.replace(GENERATION, request_id="h")]], results.append
                )
            with pytest.raises(ModelChangedError):
                await client.look(endpoint)
            assert len(results) == 1

    try:
        asyncio.run(asked())
    finally:
        name_weights("default")
