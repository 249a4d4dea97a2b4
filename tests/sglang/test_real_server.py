"""The real server with a real model: what it says is what transformers says, and all is kept."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from inference.asking.client import ClientSettings
from inference.asking.progress import RunProgress
from inference.asking.running import run
from inference.asking.serving import ServeConfig, serving
from inference.asking.sessions import RunConfig
from inference.errors import EndpointError, ServeError
from inference.planning.tokenizers import read_tokenizer
from tests.dbt_project import REPOSITORY
from tests.sglang.kills import KilledRun, kill_client, kill_server, restartable
from tests.sglang.servers import HERE, MODEL_ID
from warehouse.loading import load

EVALWH = str(Path(sys.executable).parent / "evalwh")

MIRROR = os.environ.get("EVALWH_BENCHMARK_MIRROR")


@pytest.fixture
def config(tmp_path: Path, server: str) -> RunConfig:
    return RunConfig(
        model_id=MODEL_ID,
        benchmark_ids=("hellaswag", "mmlu", "jcommonsenseqa", "jemhopqa", "gsm8k", "xwino_en"),
        endpoints=(server,),
        item_set="demo",
        shards=tmp_path / "shards",
        store=tmp_path / "generations.duckdb",
        client=ClientSettings(concurrency=8, batch_size=8),
    )


def ask(config: RunConfig):
    with RunProgress(Console(file=io.StringIO())) as progress:
        report = run(config, progress)
    load(config.shards, config.store)
    return report, progress


def rows(config: RunConfig, query: str):
    with duckdb.connect(str(config.store), read_only=True) as connection:
        return connection.execute(query).fetchall()


def reference(python: str, question: dict) -> dict:
    said = subprocess.run(
        [python, str(HERE / "transformers_reference.py")],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr[-3000:]
    return json.loads(said.stdout)


def test_numbers_and_completions_are_those_of_transformers(config, sglang_python, model_folder):
    # Transformers takes seconds for each: a few of every benchmark.
    report, _ = ask(dataclasses.replace(config, limit=5))
    assert report.failed_count == 0
    tokenizer = read_tokenizer(str(model_folder))

    def encode(text):
        return tokenizer.encode(text, special_tokens=False).tolist()

    weighed = rows(
        config,
        """
        select prompt_text, continuations[continuation_index + 1], log_likelihood, is_single_token
        from raw.log_likelihoods
        inner join raw.requests using (request_id)
        inner join raw.prompts using (prompt_id)
        order by request_id, continuation_index""",
    )
    completed = rows(
        config,
        """
        select prompt_text, completion_text, output_token_count
        from raw.generations
        inner join raw.requests using (request_id)
        inner join raw.prompts using (prompt_id)
        inner join raw.answers using (request_id)
        order by request_id""",
    )
    assert len(weighed) == 20 + 20 + 10
    assert len(completed) == 15
    assert {is_single for *_, is_single in weighed} == {True, False}
    said = reference(
        sglang_python,
        {
            "model": str(model_folder),
            "sequences": [
                (encode(prompt + continuation), len(encode(prompt)))
                for prompt, continuation, *_ in weighed
            ],
            "prompts": [encode(prompt) for prompt, *_ in completed],
        },
    )
    differences = [
        abs(row[2] - expected)
        for row, expected in zip(weighed, said["log_likelihoods"], strict=True)
    ]
    assert max(differences) < 0.05
    same = 0
    for (_, text, count), ids in zip(completed, said["completions"], strict=True):
        length = min(count, len(ids))
        # The server stops at a stop text, which transformers goes past.
        expected = tokenizer.decode(ids[:length])
        shared = min(len(text), len(expected))
        same += text[:shared] == expected[:shared]
    assert same >= 0.95 * len(completed), f"{same} of {len(completed)}"


def test_choices_of_one_token_have_the_numbers_of_whole_sequences(config, server, model_folder):
    """The one look at the next token, against each letter as a sequence of its own."""
    import requests

    ask(dataclasses.replace(config, benchmark_ids=("mmlu",)))
    tokenizer = read_tokenizer(str(model_folder))
    found = rows(
        config,
        """
        select prompt_text, list(log_likelihood order by continuation_index)
        from raw.log_likelihoods
        inner join raw.requests using (request_id)
        inner join raw.prompts using (prompt_id)
        group by all""",
    )
    for prompt, values in found:
        context = tokenizer.encode(prompt, special_tokens=False).tolist()
        letters = [tokenizer.encode(f" {one}", special_tokens=False)[0] for one in "ABCD"]
        answer = requests.post(
            f"{server}/generate",
            json={
                "input_ids": [[*context, letter] for letter in letters],
                "sampling_params": {"max_new_tokens": 0, "temperature": 0},
                "return_logprob": True,
                "logprob_start_len": len(context) - 1,
            },
            timeout=300,
        ).json()
        each = [one["meta_info"]["input_token_logprobs"][-1][0] for one in answer]
        assert values == pytest.approx(each, abs=1e-3)


@pytest.mark.skipif(not MIRROR, reason="EVALWH_BENCHMARK_MIRROR names no folder")
def test_five_shots_of_mmlu_are_in_the_servers_cache(config, tmp_path):
    config = dataclasses.replace(
        config, benchmark_ids=("mmlu",), item_set="real", limit=60, cache=tmp_path / "cache"
    )
    subprocess.run(
        [EVALWH, "fetch", "mmlu", "--mirror", MIRROR, "--cache", str(config.cache)],
        check=True,
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
    )
    report, progress = ask(config)
    assert report.answered_count == 60
    assert progress.tallies["mmlu"].cached_share > 0.8


def test_a_server_that_cannot_start_says_why(serve_config, tmp_path):
    config = dataclasses.replace(
        serve_config, model=str(tmp_path / "nothing"), log=tmp_path / "server.log"
    )
    with pytest.raises(ServeError, match="the server ended with exit code"), serving(config):
        pass


def test_a_server_of_ours_is_gone_when_we_are_done(serve_config: ServeConfig, tmp_path):
    import psutil
    import requests

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    config = dataclasses.replace(serve_config, log=tmp_path / "server.log")
    with serving(config) as url:
        assert requests.get(f"{url}/health", timeout=30).status_code == 200
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/health", timeout=5)
    assert "Uvicorn running" in config.log.read_text(errors="replace")


def test_a_client_that_is_killed_loses_nothing(server, tmp_path):
    assert kill_client(KilledRun(tmp_path, server), 4.0) > 0


def test_a_server_that_is_killed_loses_nothing(serve_config: ServeConfig, tmp_path):
    config = dataclasses.replace(serve_config, log=tmp_path / "server.log")
    with restartable(config) as (fixed, servers):
        run = KilledRun(tmp_path, f"http://127.0.0.1:{fixed.port}")
        assert kill_server(run, fixed, servers, 0.5) > 0


def test_a_model_that_the_server_does_not_serve_is_refused(config):
    with pytest.raises(EndpointError, match="not 'another/model'"):
        ask(dataclasses.replace(config, model_id="another/model"))
