"""A stub that speaks SGLang's `/generate` and thinks nothing: for tests of faults and of speed.

It is no model. A completion is made of the prompt's hash; the log-likelihood of a continuation is
minus its length, over ten for every odd first token: numbers that a test can foretell.

Run it as a process of its own (`python -m tests.inference.asking.stub_server --port 31100`) when
it is to be killed or timed, or within a test with `stub_server()`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODEL = "stub/model"


@dataclass
class Stub:
    """What the stub serves, and what it was asked."""

    model_path: str = MODEL
    delay_seconds: float = 0.0
    honours_seeds: bool = False
    is_fast: bool = False
    """Do not look at the prompts: one answer for all."""
    revision: str | None = "r1"
    weight_version: str = "default"
    context_length: int = 2048
    more_info: dict[str, Any] = field(default_factory=dict)
    """What else `/model_info` and `/server_info` say."""
    health_status: int = 200
    info_status: int = 200
    answer_with: Callable[[dict[str, Any]], web.Response | None] | None = None
    """Answers a call in place of the stub; null lets the stub answer."""
    calls: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of every call, and of every look at what the stub is."""
    looks: int = 0
    """How often it was asked what it is."""
    url: str = ""

    async def generate(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.is_fast:
            # Counting the prompts would be most of the stub's work; the client says how many.
            count = body.count(b'"max_new_tokens"')
            return web.Response(body=self.fast_body(count), content_type="application/json")
        call = orjson.loads(body)
        self.calls.append(call)
        self.headers.append(dict(request.headers))
        if self.answer_with is not None:
            response = self.answer_with(call)
            if response is not None:
                return response
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        return web.Response(body=orjson.dumps(answers(call)), content_type="application/json")

    _bodies: dict[int, bytes] = field(default_factory=dict)

    def fast_body(self, count: int) -> bytes:
        if count not in self._bodies:
            answer = generated("a completion", 500, 8)
            self._bodies[count] = orjson.dumps([answer] * count)
        return self._bodies[count]

    def application(self) -> web.Application:
        async def health(_: web.Request) -> web.Response:
            return web.Response(status=self.health_status)

        async def model_info(request: web.Request) -> web.Response:
            self.headers.append(dict(request.headers))
            self.looks += 1
            return web.json_response(
                {
                    "model_path": self.model_path,
                    "is_generation": True,
                    "model_type": "stub",
                    "weight_version": self.weight_version,
                    **self.more_info,
                },
                status=self.info_status,
            )

        async def server_info(request: web.Request) -> web.Response:
            self.headers.append(dict(request.headers))
            return web.json_response(
                {
                    "max_req_input_len": self.context_length - 6,
                    "revision": self.revision,
                    "version": "0",
                    "device": "cpu",
                    "enable_deterministic_inference": self.honours_seeds,
                    **self.more_info,
                }
            )

        async def models(request: web.Request) -> web.Response:
            self.headers.append(dict(request.headers))
            return web.json_response(
                {"data": [{"id": self.model_path, "max_model_len": self.context_length}]}
            )

        application = web.Application(client_max_size=1 << 30)
        application.router.add_get("/health", health)
        application.router.add_get("/model_info", model_info)
        application.router.add_get("/server_info", server_info)
        application.router.add_get("/v1/models", models)

        async def completions(request: web.Request) -> web.Response:
            # What lm-evaluation-harness asks; only timed, never looked into.
            await request.read()
            return web.json_response({"choices": [{"index": 0, "text": " a completion"}]})

        application.router.add_post("/generate", self.generate)
        application.router.add_post("/v1/completions", completions)
        return application


def generated(text: str, input_count: int, output_count: int) -> dict[str, Any]:
    return {
        "text": text,
        "meta_info": {
            "finish_reason": {"type": "stop"},
            "prompt_tokens": input_count,
            "completion_tokens": output_count,
            "cached_tokens": 0,
        },
    }


def answers(call: dict[str, Any]) -> list[dict[str, Any]]:
    """What the stub says to a call."""
    prompts = call.get("input_ids") or call["text"]
    found = []
    for index, prompt in enumerate(prompts):
        text = hashlib.sha256(str(prompt).encode()).hexdigest()[:8]
        parameters = call.get("sampling_params", {"max_new_tokens": 1})
        own = parameters[index] if isinstance(parameters, list) else parameters
        answer = generated(f" {text}", len(prompt), min(1, own["max_new_tokens"]))
        if call.get("token_ids_logprob"):
            tokens = call["token_ids_logprob"][index]
            answer["meta_info"]["output_token_ids_logprobs"] = [
                [[token_log_likelihood(token), token, None] for token in tokens]
            ]
        elif call.get("return_logprob"):
            start = call["logprob_start_len"][index]
            answer["meta_info"]["input_token_logprobs"] = [
                [token_log_likelihood(token), token, None] for token in prompt[start:]
            ]
        if "rid" in call:
            answer["meta_info"]["id"] = call["rid"][index]
        found.append(answer)
    return found


def token_log_likelihood(token: int) -> float:
    """The same number whether a token comes alone or in a sequence."""
    return -1.0 - (token % 7) / 10


@contextmanager
def stub_server(**settings: Any) -> Iterator[Stub]:
    """A stub at a free port of this machine, in a thread."""
    stub = Stub(**settings)
    started = threading.Event()
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(stub.application())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        stub.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        started.set()
        return runner

    def serve() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    started.wait(10)
    try:
        yield stub
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fast", action="store_true")
    options = parser.parse_args()
    stub = Stub(delay_seconds=options.delay, is_fast=options.fast)
    web.run_app(stub.application(), host="127.0.0.1", port=options.port, print=None)


if __name__ == "__main__":
    main()
