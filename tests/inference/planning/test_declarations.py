"""Declarations: complete, pinned, and refused with a reason when they are not."""

from __future__ import annotations

import operator
import re
import shutil
import tomllib
from functools import reduce

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import BenchmarkFileError, DeclarationError, ItemsError
from inference.planning.declarations import (
    BENCHMARKS,
    Declaration,
    Decoding,
    Extra,
    FewShot,
    Prompt,
    Request,
    Tokens,
    benchmark_ids,
    check_fields,
    protocols_of,
    read_benchmark,
)
from inference.planning.files import cached_files, demo_files
from inference.planning.items import read_items
from inference.planning.sources import UNPINNED, Source, StandIn
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
        items = read_items(benchmark, demo_files(benchmark))
        for item in items.test + items.pool:
            check_fields(benchmark, set(item.fields))
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
    for name in ("gsm8k", "hellaswag", "squad2", "bbh"):
        shutil.copytree(BENCHMARKS / name, tmp_path / name)
    return tmp_path


def damaged(folder, name, old, new):
    """The declaration with one text in place of another, and what is said of it."""
    path = folder / name / "benchmark.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DeclarationError) as error:
        read_benchmark(name, folder=folder)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count = 4", "cuont = 4", "unknown field `cuont` - at `$.few_shot`"),
        ("[decoding]", "[decodnig]", "unknown field `decodnig`"),
        ('scorer = "gsm8k_strict"', 'scorer = "gsm9k"', "scorer = 'gsm9k' is none of scorers.csv"),
        ('scorer = "gsm8k_strict"', "", "missing required field `scorer`"),
        (
            'rule = "drawn"',
            'rule = "guessed"',
            "Invalid enum value 'guessed' - at `$.few_shot.rule`",
        ),
        ("count = 4", "count = 0", "rule drawn does not go with 0 shots - at `$.few_shot`"),
        ("max_new_tokens = 256", "", "needs max_new_tokens"),
        ("max_new_tokens = 256", "max_new_tokens = 256\nstop_at = 1", "unknown field `stop_at`"),
        ("item_count = 1319", "item_count = ", "is not TOML"),
        ("item_count = 1319", "item_count = 0", "Expected `int` >= 1 - at `$.item_count`"),
        ('benchmark_id = "gsm8k"', 'benchmark_id = "gsm"', "its folder is 'gsm8k'"),
        ('protocol_version = "1"', "protocol_version = 1", "got `int` - at `$.protocol_version`"),
        ('protocol_version = "1"', 'protocol = "1"', "unknown field `protocol`"),
        (
            "departures = []",
            'departures = "none"',
            "Expected `array`, got `str` - at `$.departures`",
        ),
        ('kind = "generation"', 'kind = "generation"\nsample_count = 2', "need a [decoding] seed"),
        ('kind = "generation"', 'kind = "choices"', "kind choices needs a continuation"),
        (
            'kind = "generation"',
            'kind = "generation"\ncontinuation = " {x}"',
            "kind generation has no continuation",
        ),
        ("Question: {question}", "Question: {question", "is no template"),
        ("Question: {question}", "Question: {question!r}", "item = 'Question: {question!r}"),
        ("Question: {question}", "Question: {}", "do not hold a field's name - at `$.prompt`"),
        ('licence = "MIT"', "", "missing required field `licence` - at `$.sources[0]`"),
        ('role = "pool"', 'role = "test"', "roles ['test', 'test'], which must differ"),
        ('sha256 = "', 'sha256 = "00', "matching regex"),
        ('github = "openai/grade', 'github = "the wheel of openai/grade', "`$.sources[0].github`"),
        ('revision = "3101c7d5', 'revision = "3101c7d', "needs a commit of 40 hexadecimal digits"),
        ('revision = "3101', 'revision = "main', "needs a commit of 40 hexadecimal digits"),
        ('revision = "3101', 'moving = "It is not."\nrevision = "3101', "moving = 'It is not.'"),
        ('github = "openai', 'hub = "a/b"\ngithub = "openai', "has ['github', 'hub']"),
        ('file = "grade_school_math/', 'file = "/grade_school_math/', "`$.sources[0].file`"),
        ('path = "gsm8k/', 'path = "../gsm8k/', "`$.sources[0].path`"),
    ],
)
def test_a_damaged_declaration_names_its_file_and_key(old, new, message, folder):
    assert message in damaged(folder, "gsm8k", old, new)


def declared(benchmark_id):
    text = (BENCHMARKS / benchmark_id / "benchmark.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    tables.pop("protocols", None)
    return tables


def keys(table, prefix=()):
    """The way to every value of a declaration that is no table."""
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        if isinstance(value, dict) or (isinstance(value, list) and key == "sources"):
            yield from keys(value, (*prefix, key))
        else:
            yield (*prefix, key)


WAYS = [
    (name, way)
    for name in ("squad2", "jsquad", "mgsm_ja", "humaneval")
    for way in keys(declared(name))
]


@pytest.mark.parametrize(
    ("name", "way"),
    WAYS,
    ids=lambda value: value if isinstance(value, str) else ".".join(map(str, value)),
)
def test_no_key_takes_a_value_of_another_type(name, way):
    tables = declared(name)
    *above, key = way
    table = reduce(operator.getitem, above, tables)
    right = table[key]
    place = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in way)
    for wrong in ([[1]], {"surprise": 1}, True, 2.5, "two words", 3):
        # A whole number is a number, too.
        is_fine = type(wrong) is type(right) or (isinstance(right, float) and wrong == 3)
        if is_fine and not isinstance(right, list):
            continue
        table[key] = wrong
        with pytest.raises(msgspec.ValidationError, match=re.escape(f"`{place}")):
            msgspec.convert(tables, Declaration)


@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_an_unknown_key_is_refused_in_every_table(text):
    """Whatever its name, and wherever it stands."""
    whole = declared("squad2")
    tables = [
        (whole, Declaration),
        (whole["prompt"], Prompt),
        (whole["few_shot"], FewShot),
        (whole["request"], Request),
        (whole["request"]["extra"], Extra),
        (whole["decoding"], Decoding),
        (whole["tokens"], Tokens),
        (whole["sources"][0], Source),
        (whole["sources"][0]["stand_in"], StandIn),
    ]
    for table, kind in tables:
        if text in kind.__struct_fields__:
            continue
        table[text] = 1
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.convert(whole, Declaration)
        del table[text]
    assert msgspec.convert(whole, Declaration)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "gsm8k",
            "{question}",
            "{qestion}",
            "prompt.item names qestion; there are answer, question, target",
        ),
        ("gsm8k", '" {answer}"', '" {answers}"', "prompt.shot names answers"),
        ("bbh", "{worked_examples}", "{examples}", "prompt.description names examples"),
        ("hellaswag", "{choice}", "{choices}", "request.continuation names choices"),
    ],
)
def test_a_template_with_an_unknown_field_names_file_and_key(name, old, new, message, folder):
    path = folder / name / "benchmark.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    benchmark = read_benchmark(name, folder=folder)
    fields = set(read_items(benchmark, demo_files(benchmark)).test[0].fields)
    with pytest.raises(DeclarationError, match=re.escape(message)) as error:
        check_fields(benchmark, fields)
    assert str(path) in str(error.value)


def test_protocols_are_tables_and_are_checked_like_the_rest(folder):
    path = folder / "squad2" / "benchmark.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("[protocols.corrected.prompt]\nshot", "[protocols.corrected.prompt]\nshut")
    )
    with pytest.raises(DeclarationError, match=r"unknown field `shut` - at `\$.prompt`"):
        read_benchmark("squad2", "corrected", folder=folder)
    (folder / "gsm8k" / "benchmark.toml").write_text("protocols = 3")
    with pytest.raises(DeclarationError, match=r"protocols: Expected `object`"):
        protocols_of("gsm8k", folder=folder)


def test_unknown_benchmarks_and_protocols_are_named_with_what_there_is(folder):
    with pytest.raises(DeclarationError, match="no benchmark 'gsm9k'; there are bbh, gsm8k"):
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
