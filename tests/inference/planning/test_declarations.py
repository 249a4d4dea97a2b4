"""Declarations: complete, pinned, and refused with a reason when they are not."""

from __future__ import annotations

import shutil

import pytest

from inference.errors import BenchmarkFileError, DeclarationError, ItemsError
from inference.planning.declarations import (
    BENCHMARKS,
    UNPINNED,
    benchmark_ids,
    protocols_of,
    read_benchmark,
)
from inference.planning.files import cached_files, demo_files
from inference.planning.items import read_items
from tests.dbt_project import REPOSITORY


def test_all_nineteen_benchmarks_of_the_study_are_declared():
    seeded = (REPOSITORY / "warehouse" / "seeds" / "benchmarks.csv").read_text(encoding="utf-8")
    ids = {line.partition(",")[0] for line in seeded.splitlines()[1:]}
    assert len(ids) == 19
    assert ids | {"jmmlu_full"} == set(benchmark_ids())


@pytest.mark.parametrize("benchmark_id", benchmark_ids())
def test_a_declaration_is_complete(benchmark_id):
    for protocol in protocols_of(benchmark_id):
        benchmark = read_benchmark(benchmark_id, protocol)
        assert benchmark.scorer
        assert benchmark.protocol_source
        for source in benchmark.sources:
            assert source.licence
            # A commit in the address, or a revision of the hub, fixes the content.
            is_fixed = any(len(part) == 40 for part in source.url.split("/"))
            assert is_fixed or source.revision
        if protocol != "reference":
            assert benchmark.departures != read_benchmark(benchmark_id).departures


def test_few_files_are_taken_on_the_word_of_upstream():
    unpinned = {
        source.path
        for name in benchmark_ids()
        for source in read_benchmark(name).sources
        if UNPINNED in source.hashes.values()
    }
    assert unpinned == {
        "hellaswag/train.parquet",
        "jsquad/train-v1.1.json",
        "mgsm_ja/mgsm_ja_exemplars.parquet",
        "triviaqa/train.parquet",
        "xlsum_ja/test.parquet",
        "xlsum_ja/train.parquet",
    }


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(BENCHMARKS / "gsm8k", tmp_path / "gsm8k")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count = 4", "cuont = 4", "few_shot has unknown keys cuont"),
        ('rule = "drawn"', 'rule = "guessed"', "few_shot has rule = 'guessed'"),
        ("max_new_tokens = 256", "", "needs max_new_tokens"),
        ('benchmark_id = "gsm8k"', 'benchmark_id = "gsm"', "its folder is 'gsm8k'"),
        ("item_count = 1319", "item_count = ", "is not TOML"),
        ('licence = "MIT"', "", r"sources \(test\) is not complete.*licence"),
        ('scorer = "gsm8k_strict"', "", "the top level is not complete.*scorer"),
        ('sha256 = "', 'sha256 = "00', "neither 64 hexadecimal digits"),
    ],
)
def test_a_wrong_declaration_names_its_file_and_key(old, new, message, folder):
    path = folder / "gsm8k" / "benchmark.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DeclarationError, match=message) as error:
        read_benchmark("gsm8k", folder=folder)
    assert str(path) in str(error.value)


def test_unknown_benchmarks_and_protocols_are_named_with_what_there_is(folder):
    with pytest.raises(DeclarationError, match="no benchmark 'gsm9k'; there are gsm8k"):
        read_benchmark("gsm9k", folder=folder)
    with pytest.raises(DeclarationError, match="no protocol 'mended'; it has reference"):
        read_benchmark("gsm8k", "mended", folder=folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("json ->> 'answer' as target", "null as target", "null in target of item '0'"),
        ("position::varchar as item_id", "'same' as item_id", "gives item 'same' twice"),
        ("'pool' as split", "'train' as split", "split 'train'"),
        ("    [json ->> 'answer'] as golds,\n", "", "gives the columns"),
        ("from problems", "from nowhere", "failed: Catalog Error"),
        ("json ->> 'question',", "json ->> 'qestion',", "a null field in item '0'"),
    ],
)
def test_wrong_items_name_the_query(old, new, message, folder):
    path = folder / "gsm8k" / "items.sql"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    benchmark = read_benchmark("gsm8k", folder=folder)
    with pytest.raises(ItemsError, match=message):
        read_items(benchmark, demo_files(benchmark))


def test_a_file_that_is_not_its_format_is_named(folder):
    path = folder / "gsm8k" / "demo" / "test.jsonl"
    path.write_text('{"question": ', encoding="utf-8")
    benchmark = read_benchmark("gsm8k", folder=folder)
    with pytest.raises(BenchmarkFileError, match=r"test\.jsonl is not json"):
        read_items(benchmark, demo_files(benchmark))


def test_missing_files_say_what_to_do(tmp_path):
    with pytest.raises(BenchmarkFileError, match="run `evalwh fetch gsm8k` first"):
        cached_files(read_benchmark("gsm8k"), tmp_path)
