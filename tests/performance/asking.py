"""How many prompts per second go through client, shard writer and loader together.

    python -m tests.performance.asking [--prompts 200000] [--lm-eval-python PYTHON]

The server is a stub that answers at once, so that only our own work is measured; it shares the
machine. Prompts of 2 kB are asked in one session and written to shards, while `evalwh load` brings
the shards into a raw store, again and again, as somebody who wants to see answers early would; the
clock stops when all are there, and they are counted. The baseline is lm-evaluation-harness's
`local-completions` model class on the same stub in the same run, if a Python that has lm_eval is
named; it keeps its answers in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import duckdb
import psutil

from inference.asking.ask import ask_all
from inference.asking.client import Client, ClientSettings, bundles
from inference.asking.recording import Recorder
from inference.planning.requests import Model, Request, Sampling, prompt_id, request_id
from tests.dbt_project import REPOSITORY
from tests.warehouse.test_checking import VALID
from warehouse.loading import load
from warehouse.shard_files import SCHEMAS

EVALWH = str(Path(sys.executable).parent / "evalwh")

CHUNK = 20_000
"""Prompts that are planned together, as the prompts of a benchmark are."""

LOAD_SECONDS = 3.0
"""Between two calls of `evalwh load`."""

SAMPLING = Sampling(16, ("\n",))
MODEL = Model("stub/model", "r1", "none")

BASELINE = """
import json, logging, sys, time
logging.disable(logging.WARNING)
from lm_eval.api.instance import Instance
from lm_eval.models.openai_completions import LocalCompletionsAPI
url, count, text = sys.argv[1], int(sys.argv[2]), sys.stdin.read()
model = LocalCompletionsAPI(
    model="stub", base_url=url + "/v1/completions", tokenizer_backend=None, num_concurrent=16,
    batch_size=1, tokenized_requests=False)
requests = [
    Instance("generate_until", {}, (f"{i} {text}", {"until": ["\\n"], "max_gen_toks": 16}), i)
    for i in range(count)]
started = time.perf_counter()
answers = model.generate_until(requests, disable_tqdm=True)
assert len(answers) == count
print(json.dumps({"seconds": time.perf_counter() - started}))
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompts", type=int, default=200_000)
    parser.add_argument("--lm-eval-python", help="a Python that has lm_eval")
    parser.add_argument("--baseline-prompts", type=int, default=4_000)
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.inference.asking.stub_server", "--port", str(port), "--fast"],
        cwd=REPOSITORY,
    )
    try:
        wait_for(url)
        with tempfile.TemporaryDirectory() as folder:
            ours = measure(url, options.prompts, Path(folder))
        if options.lm_eval_python:
            theirs = baseline(url, options.lm_eval_python, options.baseline_prompts)
            print(f"lm-eval local-completions: {theirs:,.0f} prompts/s")
            print(f"ratio: {ours / theirs:,.1f}")
    finally:
        server.kill()
        server.wait()


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the stub did not start")


def text_of_two_kilobytes(generator: random.Random) -> str:
    words = [f"{generator.getrandbits(40):x}" for _ in range(400)]
    return " ".join(words)[:2000]


def measure(url: str, count: int, folder: Path) -> float:
    """Prompts per second, from the first prompt to the last row in the raw store."""
    process = psutil.Process()
    memory: list[float] = []
    started = time.perf_counter()
    asyncio.run(ask_and_load(url, count, folder, process, memory))
    asked = time.perf_counter()
    report = load(folder, folder / "generations.duckdb")
    loaded = time.perf_counter()
    assert not report.refused
    with duckdb.connect(str(folder / "generations.duckdb"), read_only=True) as connection:
        found = connection.execute(
            """
            select count(*), min(length(prompt_text))
            from raw.generations
            inner join raw.requests using (request_id)
            inner join raw.prompts using (prompt_id)"""
        ).fetchone()
    assert found is not None
    assert found[0] == count, found
    assert found[1] >= 2000
    rate = count / (loaded - started)
    print(
        f"{count:,} prompts of 2 kB: {asked - started:.1f} s until all were written,"
        f" {loaded - asked:.1f} s more until all were loaded; {rate:,.0f} prompts/s together"
    )
    quarter = max(1, len(memory) // 4)
    print(
        f"memory while asking: {max(memory[:quarter]):,.0f} MB at most in the first quarter,"
        f" {max(memory[-quarter:]):,.0f} MB in the last"
    )
    return rate


async def ask_and_load(
    url: str, count: int, folder: Path, process: psutil.Process, memory: list[float]
) -> None:
    asking = asyncio.create_task(ask(url, count, folder, process, memory))
    environment = {
        **os.environ,
        "EVALWH_SHARDS": str(folder),
        "EVALWH_GENERATIONS": str(folder / "generations.duckdb"),
    }
    while not asking.done():
        await asyncio.sleep(LOAD_SECONDS)
        loading = await asyncio.create_subprocess_exec(
            EVALWH, "load", env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        assert await loading.wait() == 0
    await asking


async def ask(
    url: str, count: int, folder: Path, process: psutil.Process, memory: list[float]
) -> None:
    generator = random.Random(1)
    text = text_of_two_kilobytes(generator)
    recorder = Recorder(folder, "session", row_limit=65_536)
    for kind, one in (("session", VALID["session"][1]), ("items", VALID["item"][1])):
        row = dict.fromkeys(SCHEMAS[kind].names) | one
        await recorder.write(kind, [row | {"session_id": "session", "benchmark_id": "stub"}])
    settings = ClientSettings(concurrency=8, batch_size=64)
    async with Client([url], settings) as client:
        for start in range(0, count, CHUNK):
            requests = [
                request_of(f"{number} {text}") for number in range(start, min(start + CHUNK, count))
            ]
            # Writing the plan and asking it overlap with nothing: the worst case.
            await recorder.write_columns("requests", plan_columns(requests))
            await ask_all(client, bundles([[one] for one in requests], 64), recorder)
            memory.append(process.memory_info().rss / 1e6)


def request_of(prompt: str) -> Request:
    name = request_id(MODEL, "generation", prompt, sampling=SAMPLING, special_tokens=False)
    return Request(name, "generation", prompt, sampling=SAMPLING)


def plan_columns(requests: list[Request]) -> dict[str, list[object]]:
    count = len(requests)
    constants: dict[str, object] = {
        "run_id": "run",
        "benchmark_id": "stub",
        "protocol_version": "1",
        "scorer": "as_logged",
        "sample_index": 0,
        "variant_index": 0,
        "purpose": "answer",
        "target_token_ids": None,
        "model_id": MODEL.model_id,
        "model_revision": MODEL.revision,
        "tokenizer_id": MODEL.tokenizer_id,
        "kind": "generation",
        "continuations": [],
        "decoding": requests[0].decoding,
        "prompt_token_count": None,
        "dropped_token_count": 0,
    }
    columns = {name: [value] * count for name, value in constants.items()}
    columns["request_id"] = [one.request_id for one in requests]
    columns["item_hash"] = ["i"] * count
    columns["prompt_id"] = [prompt_id(one.prompt) for one in requests]
    columns["prompt_text"] = [one.prompt for one in requests]
    return {name: columns[name] for name in SCHEMAS["requests"].names}


def baseline(url: str, python: str, count: int) -> float:
    """Prompts per second of lm-evaluation-harness, which keeps answers in memory only."""
    said = subprocess.run(
        [python, "-c", BASELINE, url, str(count)],
        input=text_of_two_kilobytes(random.Random(1)),
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        raise SystemExit(said.stderr[-3000:])
    seconds: float = json.loads(said.stdout.splitlines()[-1])["seconds"]
    return count / seconds


if __name__ == "__main__":
    main()
