"""Whole prompts, of all items: `plan` asks what an independent reading of the references asks."""

from __future__ import annotations

import hashlib
import json
from array import array
from pathlib import Path

import pytest
from msgspec.structs import replace

from inference.planning.declarations import BENCHMARKS, read_benchmark
from inference.planning.files import cached_files, demo_files
from inference.planning.items import read_items
from inference.planning.plan import Target, plan
from inference.planning.requests import Model
from tests.inference.conftest import MIRROR, needs_mirror
from tests.inference.planning.reference_prompts import READINGS, Asked, Folder

PINNED = Path(__file__).with_name("prompt_hashes.json")

NOT_IN_THE_MIRROR = {"xlsum_ja": "its articles are on the hub only"}

HUB_FORM_ONLY = {"xwino_en": "the demonstration has the source's form of a sentence, not the hub's"}
"""Benchmarks whose demonstration files the reference would not read."""


class Characters:
    """A tokenizer whose tokens are characters: prompts do not depend on it, and it is fast."""

    def encode(self, text, *, special_tokens):
        assert not special_tokens
        return array("i", text.encode("utf-32-le"))

    def encode_all(self, texts, *, special_tokens):
        return [array("i", text.encode("utf-32-le")) for text in texts]

    def decode(self, ids):
        return array("i", ids).tobytes().decode("utf-32-le")

    def count(self, text):
        return len(text)


ENDLESS = 1 << 30


def planned(benchmark, files):
    """What `plan` asks, each once: samples of a program share their prompt."""
    if benchmark.decoding.max_total_tokens:
        decoding = replace(benchmark.decoding, max_total_tokens=ENDLESS)
        benchmark = replace(benchmark, decoding=decoding)
    target = Target(Model("a", "b", "c"), Characters(), ENDLESS, ENDLESS, "llama")
    asked = []
    for one in plan(benchmark, read_items(benchmark, files), target):
        assert one.request.dropped_token_count == 0
        if one.request.sample_index == 0:
            asked.append(Asked(one.request.prompt, one.request.continuations))
    return asked


def prompts_hash(asked):
    """sha256 of the prompts as a JSON list, in the order in which they are asked."""
    prompts = [one.prompt for one in asked if one.continuations != (" unanswerable",)]
    return hashlib.sha256(json.dumps(prompts, ensure_ascii=False).encode()).hexdigest()


def compare(benchmark_id, asked, folder):
    expected = list(READINGS[benchmark_id][1](folder))
    assert len(asked) == len(expected)
    for index, (found, wanted) in enumerate(zip(asked, expected, strict=True)):
        assert found == wanted, f"{benchmark_id}, request {index}"


@pytest.fixture(scope="module")
def pinned():
    return json.loads(PINNED.read_text(encoding="utf-8"))


@pytest.mark.slow(seconds=20)
@needs_mirror
@pytest.mark.parametrize("benchmark_id", sorted(set(READINGS) - set(NOT_IN_THE_MIRROR)))
def test_every_prompt_is_the_references(benchmark_id, cache, pinned):
    benchmark = read_benchmark(benchmark_id)
    asked = planned(benchmark, cached_files(benchmark, cache))
    compare(benchmark_id, asked, Folder(Path(MIRROR) / READINGS[benchmark_id][0]))
    assert prompts_hash(asked) == pinned[benchmark_id]["all_items"]


@pytest.mark.parametrize("benchmark_id", sorted(READINGS))
def test_every_demonstration_prompt_is_as_the_reference_would_ask(benchmark_id, pinned):
    benchmark = read_benchmark(benchmark_id)
    asked = planned(benchmark, demo_files(benchmark))
    if benchmark_id not in HUB_FORM_ONLY:
        compare(benchmark_id, asked, Folder(BENCHMARKS / benchmark_id / "demo"))
    assert prompts_hash(asked) == pinned[benchmark_id]["demonstration"]


def test_every_benchmark_is_read_and_pinned(pinned):
    folders = {path.parent.name for path in BENCHMARKS.glob("*/benchmark.toml")}
    assert set(READINGS) == folders == set(pinned)
    assert {name for name, hashes in pinned.items() if not hashes["all_items"]} == set(
        NOT_IN_THE_MIRROR
    )
