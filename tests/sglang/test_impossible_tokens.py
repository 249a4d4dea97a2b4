"""A token without mass, on the real server: minus infinity, whichever way it is weighed."""

from __future__ import annotations

import asyncio
import math
import subprocess
from array import array

import pytest

from inference.asking.client import Answer, Client, ClientSettings, bundles
from inference.asking.serving import ServeConfig, serving
from inference.planning.requests import Request, Sequence
from tests.sglang.servers import HERE

IMPOSSIBLE_TOKEN = 7
OTHER_TOKEN = 8


def weighing(name, context, *continuations):
    shared = array("i", context)
    return Request(
        name,
        "log_likelihood",
        name,
        tuple(str(one) for one in continuations),
        sequences=tuple(Sequence(shared, array("i", one)) for one in continuations),
    )


def test_a_token_without_mass_is_minus_infinity_either_way(
    sglang_python, in_cpu_environment, tmp_path
):
    model = tmp_path / "model"
    made = subprocess.run(
        [sglang_python, str(HERE / "impossible_model.py"), str(IMPOSSIBLE_TOKEN), str(model)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    config = ServeConfig(
        str(model),
        "tiny",
        port=0,
        is_cpu=True,
        log=tmp_path / "server.log",
        start_seconds=300,
        python=sglang_python,
        arguments=("--skip-tokenizer-init",),
    )
    contexts = [list(range(10, 10 + count)) for count in range(1, 11)]
    requests = []
    for index, context in enumerate(contexts):
        requests.append(weighing(f"sequence {index}", context, [IMPOSSIBLE_TOKEN]))
        requests.append(weighing(f"look {index}", context, [IMPOSSIBLE_TOKEN], [OTHER_TOKEN]))
    results = {}

    async def ask(url):
        async with Client([url], ClientSettings(batch_size=8, attempt_limit=2)) as client:
            for bundle in bundles([[one] for one in requests], 8):
                await client.ask(
                    bundle, lambda result: results.update({result.request.request_id: result})
                )

    with serving(config) as url:
        asyncio.run(ask(url))
    assert all(isinstance(result, Answer) for result in results.values()), results
    sequences = [results[f"sequence {index}"].log_likelihoods[0] for index in range(len(contexts))]
    looks = [results[f"look {index}"].log_likelihoods for index in range(len(contexts))]
    assert sequences == pytest.approx([look[0] for look in looks], rel=1e-3, abs=1e-6)
    assert -math.inf in sequences
    assert any(math.isfinite(value) for value in sequences)
    assert all(math.isfinite(look[1]) for look in looks)
