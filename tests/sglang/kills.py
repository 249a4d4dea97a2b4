"""Runs that are killed with SIGKILL at a random moment, client or server, and resumed.

    python -m tests.sglang.kills --python PYTHON [--client-kills 25] [--server-kills 25]

PYTHON is one that has sglang (`.venv-sglang/bin/python` after `make test-sglang`). Prints a line
per run and ends with an error if one answer is lost or doubled.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psutil

from inference.asking.serving import ServeConfig, serving
from tests.dbt_project import REPOSITORY
from tests.sglang.servers import MODEL_ID, converted_model, cpu_environment, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

EVALWH = str(Path(sys.executable).parent / "evalwh")

BENCHMARKS = "hellaswag,mmlu,jcommonsenseqa,openbookqa,xwino_en"
"""Log-likelihoods of both kinds, and completions."""


@dataclass(frozen=True, slots=True)
class KilledRun:
    """A run of demonstration items, below a folder of its own."""

    folder: Path
    url: str

    def start(self) -> subprocess.Popen[str]:
        """The client as a process."""
        environment = {
            **os.environ,
            "EVALWH_SHARDS": str(self.folder / "shards"),
            "EVALWH_GENERATIONS": str(self.folder / "generations.duckdb"),
        }
        command = [
            *(EVALWH, "run", "--model", MODEL_ID, "--items", "demo", "--endpoint", self.url),
            *("--benchmarks", BENCHMARKS, "--patience", "300", "--attempts", "9"),
            *("--concurrency", "2", "--batch-size", "4"),
        ]
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, client: subprocess.Popen[str] | None = None) -> str:
        """Let the client end, or start one that resumes; what it said.

        Raises:
            AssertionError: it failed.
        """
        client = client or self.start()
        said, _ = client.communicate(timeout=600)
        assert client.returncode == 0, said
        return said

    def written_count(self) -> int:
        """Shards that are on the disk."""
        return len(list((self.folder / "shards").rglob("*.answers.*.parquet")))

    def check(self) -> int:
        """Requests, each of which is answered once.

        Raises:
            AssertionError: an answer is lost or doubled.
        """
        with duckdb.connect(str(self.folder / "generations.duckdb"), read_only=True) as connection:
            row = connection.execute(
                """
                select
                    (select count(*) from raw.requests),
                    (select count(distinct request_id) from raw.run_requests),
                    (select count(*) from raw.answers),
                    (select count(distinct request_id) from raw.answers),
                    (select count(*) from raw.generations)
                    + (select count(distinct request_id) from raw.log_likelihoods),
                    (select count(*) - count(distinct (request_id, continuation_index))
                    from raw.log_likelihoods),
                    (select count(*) from raw.failures)"""
            ).fetchone()
        assert row is not None
        *counts, doubled, failed = row
        assert len(set(counts)) == 1, counts
        assert (doubled, failed) == (0, 0)
        count: int = counts[0]
        assert count > 50
        return count


def kill_client(run: KilledRun, seconds: float) -> int:
    """Kill the client after `seconds`, resume, and count what was asked."""
    client = run.start()
    time.sleep(seconds)
    client.kill()
    client.communicate()
    assert ", 0 failed" in run.finish()
    return run.check()


def kill_server(run: KilledRun, config: ServeConfig, servers: ExitStack, seconds: float) -> int:
    """Kill the server `seconds` after the first answers, start another, and count.

    `servers` holds the new server, which the next run finds.
    """
    client = run.start()
    while client.poll() is None and not run.written_count():
        time.sleep(0.1)
    time.sleep(seconds)
    kill_group(config.port)
    servers.close()
    servers.enter_context(serving(config))
    assert ", 0 failed" in run.finish(client)
    # Once more: there is nothing left to ask.
    assert ", 0 now, 0 failed" in run.finish()
    return run.check()


def kill_group(port: int) -> None:
    """Kill our own server at `port` with all its processes."""
    for child in psutil.Process().children():
        # The client may have ended by itself.
        if child.status() != psutil.STATUS_ZOMBIE and str(port) in child.cmdline():
            for process in [*child.children(recursive=True), child]:
                process.kill()
            child.wait(30)


@contextmanager
def restartable(config: ServeConfig) -> Iterator[tuple[ServeConfig, ExitStack]]:
    """A server at a fixed address, and the stack that holds it."""
    fixed = dataclasses.replace(config, port=free_port())
    with ExitStack() as servers:
        servers.enter_context(serving(fixed))
        yield fixed, servers


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True, help="a Python that has sglang")
    parser.add_argument("--client-kills", type=int, default=25)
    parser.add_argument("--server-kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name, cpu_environment():
        folder = Path(name)
        config = ServeConfig(
            str(converted_model(options.python)),
            MODEL_ID,
            is_cpu=True,
            log=folder / "server.log",
            start_seconds=600,
            python=str(Path(options.python).absolute()),
        )
        with restartable(config) as (fixed, servers):
            url = f"http://127.0.0.1:{fixed.port}"
            started = time.monotonic()
            KilledRun(folder / "whole", url).finish()
            whole = time.monotonic() - started
            print(f"a run that nobody kills takes {whole:.1f} s", flush=True)
            for number in range(options.client_kills):
                seconds = generator.uniform(0, whole)
                count = kill_client(KilledRun(folder / f"client{number}", url), seconds)
                print(
                    f"client killed after {seconds:.1f} s: {count} answers, once each", flush=True
                )
            for number in range(options.server_kills):
                seconds = generator.uniform(0, whole / 2)
                run = KilledRun(folder / f"server{number}", url)
                count = kill_server(run, fixed, servers, seconds)
                print(
                    f"server killed {seconds:.1f} s after the first answers:"
                    f" {count} answers, once each",
                    flush=True,
                )


if __name__ == "__main__":
    main()
