"""A prompt that changes: asked anew under the next version, beside what was asked before."""

from __future__ import annotations

import dataclasses
import io
from typing import get_args

import duckdb
import pytest
from msgspec.structs import replace
from rich.console import Console

from inference.asking import running
from inference.asking.progress import RunProgress
from inference.planning.declarations import SpecialTokens, read_benchmark
from tests.inference.asking.stub_server import stub_server
from warehouse.loading import load


def before(benchmark_id, protocol):
    """MMLU and XL-Sum as version 1 of their protocols had them; MMLU had another prompt."""
    benchmark = read_benchmark(benchmark_id, protocol)
    benchmark = replace(benchmark, protocol_version="1")
    if benchmark_id == "mmlu":
        description = benchmark.prompt.description + "\n"
        prompt = replace(benchmark.prompt, description=description)
        benchmark = replace(benchmark, prompt=prompt)
    return benchmark


def ask(config, stub):
    config = dataclasses.replace(config, endpoints=(stub.url,))
    with RunProgress(Console(file=io.StringIO())) as progress:
        return running.run(config, progress)


def rows(config, query):
    load(config.shards, config.store)
    with duckdb.connect(str(config.store), read_only=True) as connection:
        return connection.execute(query).fetchall()


REQUESTS = """
    select
        count(distinct request_id), count(*),
        count(distinct request_id) filter (where protocol_version = '1'),
        count(distinct request_id) filter (where protocol_version = '2')
    from raw.run_requests"""


@pytest.mark.slow(seconds=1)
def test_changed_prompts_are_asked_anew_and_old_answers_stay(config, monkeypatch):
    config = dataclasses.replace(config, benchmark_ids=("mmlu",))
    with stub_server() as stub:
        with monkeypatch.context() as old:
            old.setattr(running, "read_benchmark", before)
            first = ask(config, stub)
        second = ask(config, stub)
        again = ask(config, stub)
    assert second.run_id == first.run_id
    assert second.known_count == 0
    assert second.answered_count == second.planned_count == first.answered_count
    assert again.known_count == again.planned_count
    both, mapped, old_count, new_count = rows(config, REQUESTS)[0]
    assert old_count == first.planned_count
    assert new_count == second.planned_count
    assert both == mapped == old_count + new_count
    assert rows(config, "select count(*) from raw.answers") == [(both,)]
    blank_lines = rows(
        config,
        """
        select protocol_version, regexp_matches(prompt_text, '^[^\\n]*\\n\\n'), count(*)
        from raw.run_requests
        inner join raw.requests using (request_id)
        inner join raw.prompts using (prompt_id)
        group by all
        order by all""",
    )
    assert blank_lines == [("1", True, old_count), ("2", False, new_count)]


@pytest.mark.slow(seconds=1)
def test_prompts_that_stayed_are_not_asked_again_and_belong_to_both_versions(config, monkeypatch):
    config = dataclasses.replace(config, benchmark_ids=("xlsum_ja",))
    with stub_server() as stub:
        with monkeypatch.context() as old:
            old.setattr(running, "read_benchmark", before)
            first = ask(config, stub)
        second = ask(config, stub)
    assert second.known_count == second.planned_count == first.planned_count
    assert second.answered_count == 0
    both, mapped, old_count, new_count = rows(config, REQUESTS)[0]
    assert both == old_count == new_count == first.planned_count
    assert mapped == 2 * both


@pytest.mark.parametrize("rule", sorted(set(get_args(SpecialTokens)) - {"none"}))
def test_answers_after_a_bos_are_not_those_of_a_prompt_without(config, monkeypatch, rule):
    def begun(benchmark_id, protocol):
        benchmark = read_benchmark(benchmark_id, protocol)
        tokens = replace(benchmark.tokens, special_tokens=rule)
        return replace(benchmark, tokens=tokens)

    config = dataclasses.replace(config, benchmark_ids=("jemhopqa",))
    with stub_server() as stub:
        with monkeypatch.context() as other:
            other.setattr(running, "read_benchmark", begun)
            first = ask(config, stub)
        second = ask(config, stub)
    # The stub is no Gemma: only the tokenizer's own rule changes what it is asked.
    changes = rule == "tokenizer"
    assert second.known_count == (0 if changes else first.planned_count)
