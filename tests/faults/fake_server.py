"""Fake server: a process that speaks SGLang's `/generate` and says that it is fake.

    python -m tests.faults.fake_server --tokenizer FOLDER [--delay 0.01]

What it says of a prompt is a function of the prompt's text, so that an answer which came to another
request can be told: `completion_of` and `log_likelihood_of` say what is right.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import tokenizers
from aiohttp import web

from tests.dbt_project import REPOSITORY
from tests.inference.asking.stub_server import Stub, answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "fake/no-model"

TOKENS = 64
"""Log-probabilities differ by the token's id, modulo this."""


def completion_of(prompt: str) -> str:
    """The right completion of a prompt, by its text."""
    return f" {_digest(prompt)[:8]}"


def log_likelihood_of(prompt: str, tokens: list[int]) -> float:
    """The right log-likelihood of a continuation, by its tokens."""
    return sum(_per_token(prompt) - token % TOKENS / 64 for token in tokens)


def _per_token(prompt: str) -> float:
    # Binary fractions: sums are exact in any order.
    return -1.0 - int(_digest(prompt)[:2], 16) / 64


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class FakeStub(Stub):
    """The stub, with answers that depend on the prompt's text."""

    tokenizer: tokenizers.Tokenizer | None = None

    def __post_init__(self) -> None:
        self.model_path = MODEL
        self.answer_with = self._answer

    async def generate(self, request: web.Request) -> web.Response:
        # A model takes its time: without, few kills would meet a run that waits.
        await asyncio.sleep(self.delay_seconds)
        return await super().generate(request)

    def _text(self, prompt: list[int] | str) -> str:
        if isinstance(prompt, str):
            return prompt
        assert self.tokenizer is not None
        text: str = self.tokenizer.decode(prompt, skip_special_tokens=False)
        return text

    def _answer(self, call: dict[str, Any]) -> web.Response:
        # What was asked is not kept: the server outlives many runs.
        self.calls.clear()
        found = answers(call)
        prompts = call.get("input_ids") or call["text"]
        for index, (prompt, answer) in enumerate(zip(prompts, found, strict=True)):
            answer["text"] = completion_of(self._text(prompt))
            about = answer["meta_info"]
            if "output_token_ids_logprobs" in about:
                (weighed,) = about["output_token_ids_logprobs"]
                about["output_token_ids_logprobs"] = [self._weighed(prompt, weighed)]
            elif "input_token_logprobs" in about:
                context = prompt[: call["logprob_start_len"][index] + 1]
                about["input_token_logprobs"] = self._weighed(
                    context, about["input_token_logprobs"]
                )
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    def _weighed(self, context: list[int], tokens: list[list[Any]]) -> list[list[Any]]:
        each = _per_token(self._text(context))
        return [[each - token % TOKENS / 64, token, None] for _, token, _ in tokens]


@contextmanager
def fake_server(tokenizer: Path, delay_seconds: float) -> Iterator[str]:
    """Address of a fake server in a process of its own."""
    command = [sys.executable, "-m", "tests.faults.fake_server", "--tokenizer", str(tokenizer)]
    process = subprocess.Popen(
        [*command, "--delay", str(delay_seconds)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http"), f"the fake server did not start: {address!r}"
        yield address
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    options = parser.parse_args()
    tokenizer = tokenizers.Tokenizer.from_file(f"{options.tokenizer}/tokenizer.json")
    stub = FakeStub(delay_seconds=options.delay, tokenizer=tokenizer)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        web.run_app(stub.application(), sock=listening, print=None)


if __name__ == "__main__":
    main()
