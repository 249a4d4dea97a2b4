"""A run, against a stub: everything is asked once, kept, resumed and attributable."""

from __future__ import annotations

import dataclasses
import io
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from aiohttp import web
from rich.console import Console

from inference.asking.progress import RunProgress
from inference.asking.running import run
from inference.asking.sessions import RunConfig, only_session, run_id, selected_benchmarks
from inference.asking.status import status
from inference.errors import EndpointError, RunError
from inference.planning.declarations import read_benchmark
from tests.dbt_project import REPOSITORY
from tests.inference.asking.stub_server import MODEL, answers, stub_server
from tests.warehouse.written_shards import write_as_shard
from warehouse.loading import load
from warehouse.repairing import repair
from warehouse.shard_files import VERSION_KEY, shard_files

EVALWH = str(Path(sys.executable).parent / "evalwh")


def ask(config: RunConfig, stub):
    config = dataclasses.replace(config, endpoints=(stub.url,))
    with RunProgress(Console(file=io.StringIO())) as progress:
        return run(config, progress)


def rows(config: RunConfig, query: str):
    load(config.shards, config.store)
    with duckdb.connect(str(config.store), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.slow(seconds=1)
def test_everything_asked_is_answered_once_and_in_the_store(config):
    with stub_server() as stub:
        report = ask(config, stub)
    assert report.failed_count == 0
    assert report.answered_count == report.planned_count > 100
    counts = rows(
        config,
        """
        select
            (select count(*) from raw.requests),
            (select count(*) from raw.answers),
            (select count(*) from raw.generations),
            (select count(distinct request_id) from raw.log_likelihoods),
            (select count(distinct item_hash) from raw.items),
            (select count(*) from raw.run_session_ends)""",
    )[0]
    requests, answered, generations, weighed, items, ends = counts
    assert requests == answered == generations + weighed == report.planned_count
    assert items == 12 + 10 + 10 + 10 + 12 + 8
    assert ends == 1


@pytest.mark.slow(seconds=2)
def test_what_is_answered_is_not_asked_again(config):
    with stub_server() as stub:
        first = ask(config, stub)
        call_count = len(stub.calls)
        second = ask(config, stub)
        assert len(stub.calls) == call_count
    assert second.known_count == first.planned_count
    assert second.run_id == first.run_id
    assert rows(config, "select count(*), count(distinct run_id) from raw.run_sessions") == [(2, 1)]
    # Mappings of the run are not doubled either.
    assert rows(config, "select count(*) from raw.run_requests") == [(first.planned_count,)]


@pytest.mark.slow(seconds=1)
def test_a_limit_that_grows_asks_the_rest_with_the_same_shots(config):
    with stub_server() as stub:
        small = ask(dataclasses.replace(config, limit=2), stub)
        whole = ask(config, stub)
    assert whole.known_count == small.planned_count
    assert whole.answered_count == whole.planned_count - small.planned_count


def test_prompts_lead_back_to_their_item(config):
    with stub_server() as stub:
        ask(dataclasses.replace(config, benchmark_ids=("gsm8k",)), stub)
    prompts = rows(
        config,
        """
        select items.fields ->> 'question', prompts.prompt_text, generations.completion_text
        from raw.run_requests
        inner join raw.items using (item_hash)
        inner join raw.requests using (request_id)
        inner join raw.prompts using (prompt_id)
        inner join raw.generations using (request_id)""",
    )
    assert len(prompts) == 10
    for question, prompt, completion in prompts:
        assert prompt.endswith(f"\n\nQuestion: {question}\nAnswer:")
        assert prompt.count("Question:") == 5
        assert completion


@pytest.mark.slow(seconds=1)
def test_a_failure_is_stored_the_run_goes_on_and_asks_it_again(config):
    config = dataclasses.replace(config, benchmark_ids=("gsm8k", "mmlu"))
    ill = []

    def refuse_some(call):
        # GSM8K completions; MMLU is weighed.
        if not call.get("return_logprob") and len(ill) < 30:
            ill.append(call)
            return web.Response(status=400, text="no")
        return None

    with stub_server(answer_with=refuse_some) as stub:
        first = ask(config, stub)
        ill.extend([None] * 30)
        second = ask(config, stub)
    assert first.failed_count == 10
    assert first.answered_count == 12
    assert first.first_errors
    assert (second.answered_count, second.failed_count) == (10, 0)
    assert rows(config, "select count(*) from raw.failures") == [(10,)]
    assert [one[2:] for one in status(config.shards, config.store)] == [
        (10, 10, 0, 10),
        (12, 12, 0, 12),
    ]


def test_status_counts_what_is_in_shards_only(config):
    config = dataclasses.replace(config, benchmark_ids=("mmlu",))
    with stub_server() as stub:
        ask(config, stub)
    assert [one[2:] for one in status(config.shards, config.store)] == [(12, 12, 0, 0)]
    load(config.shards, config.store)
    assert [one[2:] for one in status(config.shards, config.store)] == [(12, 12, 0, 12)]


def test_completions_of_xlsum_are_stored_as_tokens(config, tokenizer):
    with stub_server() as stub:
        ask(dataclasses.replace(config, benchmark_ids=("xlsum_ja",)), stub)
    stored = rows(
        config,
        """
        select completion_text, completion_token_ids, items.target, target_token_ids
        from raw.run_requests
        inner join raw.generations using (request_id)
        inner join raw.items using (item_hash)""",
    )
    assert len(stored) == 8
    for text, ids, target, target_ids in stored:
        assert ids == tokenizer.encode(text, special_tokens=False).tolist()
        assert target_ids == tokenizer.encode(target, special_tokens=False).tolist()


def test_the_session_says_how_it_was_asked(config):
    with stub_server() as stub:
        ask(dataclasses.replace(config, benchmark_ids=("mmlu",)), stub)
    row = rows(
        config,
        """
        select model_id, model_revision, engine, gpu_names, concurrency, batch_size,
            server_arguments ->> '$.*.revision', configuration ->> 'item_set', length(code_commit)
        from raw.run_sessions""",
    )[0]
    assert row[:6] == (MODEL, "r1", "sglang", [], 4, 8)
    assert row[7] == "demo"
    assert row[8] >= 40


def test_a_server_with_another_model_is_refused(config):
    with (
        stub_server(model_path="other/model") as stub,
        pytest.raises(EndpointError, match="serves 'other/model'"),
    ):
        ask(config, stub)


def test_what_a_newer_version_has_answered_is_not_asked_again(config):
    table = pa.table({"request_id": ["a request"]})
    write_as_shard(config.shards, table, "answers", {VERSION_KEY: "99"})
    with stub_server() as stub:
        with pytest.raises(RunError, match="newer evalwh: it is of version 99"):
            ask(config, stub)
        assert stub.calls == []


def evalwh_run(config, stub, *options):
    return subprocess.run(
        [
            *(EVALWH, "run", "--model", MODEL, "--endpoint", stub.url, "--items", "demo"),
            *("--tokenizer", str(config.tokenizer), "--benchmarks", "mmlu", *options),
        ],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "EVALWH_SHARDS": str(config.shards),
            "EVALWH_GENERATIONS": str(config.store),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow(seconds=3)
@pytest.mark.parametrize("options", [(), ("--no-load",)])
def test_a_shard_that_was_damaged_before_is_named_and_its_answers_are_asked_again(config, options):
    config = dataclasses.replace(config, benchmark_ids=("mmlu",))
    with stub_server() as stub:
        ask(config, stub)
        (shard,) = (one for one in shard_files(config.shards) if one.kind == "answers")
        content = bytearray(shard.path.read_bytes())
        content[len(content) // 2] ^= 1
        shard.path.write_bytes(content)
        done = evalwh_run(config, stub, *options)
        again = evalwh_run(config, stub, *options)
    assert "12 requests, 0 answered before, 12 now, 0 failed" in done.stdout
    assert done.returncode == 1
    assert f"{shard.path} is damaged" in done.stderr
    assert again.returncode == 0
    assert rows(config, "select count(*) from raw.answers") == [(12,)]


@pytest.mark.slow(seconds=2)
def test_a_positive_log_probability_is_a_failure_that_the_command_tells(config):
    def lie(call):
        said = answers(call)
        for one in said:
            for position in one["meta_info"].get("output_token_ids_logprobs", []):
                position[0][0] = 0.5
        return web.json_response(said)

    with stub_server(answer_with=lie) as stub:
        done = evalwh_run(config, stub)
        stub.answer_with = None
        again = evalwh_run(config, stub)
    assert done.returncode == 1
    assert "12 requests failed" in done.stderr
    assert "log-likelihood of 0.5; none is above 0" in done.stderr
    assert (again.returncode, rows(config, "select count(*) from raw.answers")) == (0, [(12,)])


def test_two_sessions_of_a_run_are_not_at_once(tmp_path):
    with only_session(tmp_path, "run"):
        with pytest.raises(RunError, match="another process"), only_session(tmp_path, "run"):
            pass
        with only_session(tmp_path, "another"):
            pass
    with only_session(tmp_path, "run"):
        pass


def test_runs_differ_by_model_revision_tokenizer_protocol_and_items():
    from inference.planning.requests import Model

    models = [
        Model("a", "1", "t"),
        Model("b", "1", "t"),
        Model("a", "2", "t"),
        Model("a", "1", "u"),
    ]
    names = {run_id(model, "reference", "real") for model in models}
    names |= {run_id(models[0], "corrected", "real"), run_id(models[0], "reference", "demo")}
    assert len(names) == 6


def test_names_of_benchmarks_are_checked():
    assert selected_benchmarks(["mmlu", "mmlu"], "reference") == ("mmlu",)
    assert "xlsum_ja" in selected_benchmarks(["all"], "reference")
    assert "triviaqa" in selected_benchmarks(["all"], "corrected")
    with pytest.raises(RunError, match="no benchmark 'mnlu'"):
        selected_benchmarks(["mnlu"], "reference")
    with pytest.raises(RunError, match="gsm8k has no protocol"):
        selected_benchmarks(["gsm8k"], "corrected")


KILLS = 6
"""`make test-faults` kills it more often."""


@pytest.mark.slow(seconds=15)
def test_nothing_is_lost_or_doubled_when_client_and_server_are_killed(config, tmp_path):
    """Real processes, killed with SIGKILL; only the model is a stub."""
    config = dataclasses.replace(
        config, benchmark_ids=("mmlu", "gsm8k", "hellaswag", "squad2", "xwino_en", "humaneval")
    )
    generator = random.Random(20)
    port = free_port()
    server = start_stub(port)
    environment = {
        **os.environ,
        "EVALWH_SHARDS": str(config.shards),
        "EVALWH_GENERATIONS": str(config.store),
    }
    command = [
        *(EVALWH, "run", "--model", MODEL),
        *("--endpoint", f"http://127.0.0.1:{port}", "--items", "demo"),
        *("--tokenizer", str(config.tokenizer), "--benchmarks", ",".join(config.benchmark_ids)),
        *("--concurrency", "2", "--batch-size", "4", "--attempts", "50"),
    ]
    killed_count = 0
    try:
        for kill in range(KILLS):
            client = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                client.wait(generator.uniform(0.8, 3.0))
                break
            except subprocess.TimeoutExpired:
                if kill % 3 == 2:
                    server.kill()
                    server.wait()
                    server = start_stub(port)
                else:
                    client.kill()
                    killed_count += 1
                client.wait()
        last = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert last.returncode == 0, last.stdout + last.stderr
    finally:
        server.kill()
        server.wait()
    assert killed_count >= 2
    asked, answered, distinct = rows(
        config,
        """
        select
            (select count(distinct request_id) from raw.run_requests),
            (select count(*) from raw.answers),
            (select count(distinct request_id) from raw.answers)""",
    )[0]
    assert asked == answered == distinct > 100
    assert rows(config, "select count(*) from raw.failures") == [(0,)]
    assert rows(
        config,
        """
        select count(*) from raw.requests
        where (kind = 'generation') != (request_id in (select request_id from raw.generations))""",
    ) == [(0,)]


def start_stub(port: int) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.inference.asking.stub_server"),
            *("--port", str(port), "--delay", "0.15"),
        ],
        cwd=REPOSITORY,
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return server
        except OSError:
            time.sleep(0.05)
    server.kill()
    raise AssertionError("the stub did not start")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.slow(seconds=2)
def test_a_run_that_is_told_to_stop_keeps_what_was_answered(config):
    port = free_port()
    server = start_stub(port)
    try:
        client = subprocess.Popen(
            [
                *(EVALWH, "run", "--model", MODEL),
                *("--endpoint", f"http://127.0.0.1:{port}", "--items", "demo"),
                *("--tokenizer", str(config.tokenizer), "--benchmarks", "humaneval"),
                *("--concurrency", "1", "--batch-size", "2"),
            ],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "EVALWH_SHARDS": str(config.shards),
                "EVALWH_GENERATIONS": str(config.store),
            },
        )
        deadline = time.monotonic() + 60
        while not any(one.kind == "answers" for one in shard_files(config.shards)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        client.send_signal(signal.SIGTERM)
        assert client.wait(30) != 0
    finally:
        server.kill()
        server.wait()
    (answered,) = rows(config, "select count(*) from raw.answers")[0]
    assert answered > 0


def test_adding_a_benchmark_is_adding_a_folder(config, tmp_path):
    folder = tmp_path / "benchmarks"
    shutil.copytree(read_benchmark("gsm8k").folder, folder / "gsm8k_again")
    declaration = folder / "gsm8k_again" / "benchmark.toml"
    text = declaration.read_text(encoding="utf-8")
    declaration.write_text(
        text.replace('benchmark_id = "gsm8k"', 'benchmark_id = "gsm8k_again"'), encoding="utf-8"
    )
    assert read_benchmark("gsm8k_again", folder=folder).few_shot.count == 4


def damage(folder: Path, kind: str) -> Path:
    """Flip a bit of the first shard of that kind; where it will be set aside."""
    path = min(folder.glob(f"**/*.{kind}.*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return folder / "damaged" / path.name


def complete(config: RunConfig) -> list[tuple]:
    """How many rows there are, and how many have what they name."""
    return rows(
        config,
        """
        select
            (select count(*) from raw.run_requests),
            (select count(*) from raw.run_requests semi join raw.items using (item_hash)
                semi join raw.requests using (request_id)),
            (select count(*) from raw.answers semi join raw.run_sessions using (session_id)),
            (select count(*) > 0 from raw.run_files)""",
    )


@pytest.mark.slow(seconds=4)
@pytest.mark.parametrize("kind", ["session", "files", "items", "requests"])
def test_what_a_damaged_shard_held_of_the_plan_comes_back_and_is_not_asked_again(kind, config):
    config = dataclasses.replace(config, benchmark_ids=("gsm8k", "mmlu"))
    with stub_server() as stub:
        first = ask(config, stub)
        aside = damage(config.shards, kind)
        second = ask(config, stub)
    count = first.planned_count
    assert (second.answered_count, second.known_count) == (0, count)
    (message,) = second.refused
    assert aside.name in message
    assert aside.exists()
    assert complete(config) == [(count, count, count, True)]


@pytest.mark.slow(seconds=4)
@pytest.mark.parametrize("kind", ["session", "files", "items", "requests"])
def test_what_the_raw_store_has_lost_of_the_plan_is_written_again(kind, config):
    config = dataclasses.replace(config, benchmark_ids=("gsm8k", "mmlu"))
    tables = {
        "session": ["run_sessions"],
        "files": ["run_files"],
        "items": ["items"],
        "requests": ["requests", "prompts"],
    }
    with stub_server() as stub:
        first = ask(config, stub)
        before = complete(config)
        with duckdb.connect(str(config.store)) as connection:
            for table in tables[kind]:
                connection.execute(f"delete from raw.{table}")
        second = ask(config, stub)
        if kind == "session":
            # The plan cannot know it; its shard can.
            repair(config.shards, config.store, "repaired")
    assert (second.answered_count, second.known_count) == (0, first.planned_count)
    assert complete(config) == before


@pytest.mark.slow(seconds=2)
def test_nothing_is_asked_again_when_the_raw_store_is_lost(config):
    with stub_server() as stub:
        first = ask(config, stub)
        load(config.shards, config.store)
        config.store.unlink()
        calls = len(stub.calls)
        second = ask(config, stub)
        assert len(stub.calls) == calls
    assert (second.answered_count, second.known_count) == (0, first.planned_count)


@pytest.mark.slow(seconds=1)
def test_status_leaves_out_what_is_damaged_and_says_so(config):
    config = dataclasses.replace(config, benchmark_ids=("mmlu",))
    with stub_server() as stub:
        ask(config, stub)
    (answers,) = config.shards.glob("*.answers.*")
    os.truncate(answers, answers.stat().st_size - 1)
    folder = config.shards / "session.000001.answers.0123456789abcdef.parquet"
    folder.mkdir()
    left_out: list[str] = []
    assert [one[2:] for one in status(config.shards, config.store, left_out.append)] == [
        (12, 0, 0, 0)
    ]
    assert (answers.name in left_out[0], folder.name in left_out[1]) == (True, True)
    environment = {
        **os.environ,
        "EVALWH_SHARDS": str(config.shards),
        "EVALWH_GENERATIONS": str(config.store),
    }
    said = subprocess.run(
        [EVALWH, "status"], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert said.returncode == 1
    assert "2 shards were left out" in said.stdout
    assert answers.exists()
