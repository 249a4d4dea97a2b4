"""Declarations: complete, pinned, and refused with a reason when they are not."""

from __future__ import annotations

import csv
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
    SCORERS,
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
    scorers,
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


BBH = '''github = "suzgunmirac/BIG-Bench-Hard"
revision = "9ee07bd481feebf959a6b59d61ea57bdcf30964d"'''
"""Where bbh's declaration has its files from."""


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


LISTS = [
    (name, match[0])
    for name in benchmark_ids()
    for match in re.finditer(
        r"^\w+ = \[[^\]]*\]$",
        (BENCHMARKS / name / "benchmark.toml").read_text("utf-8"),
        re.MULTILINE,
    )
]


def test_lists_of_every_kind_are_looked_at():
    assert {text.split(" ")[0] for _, text in LISTS} == {"departures", "stop"}


@pytest.mark.parametrize(("name", "text"), LISTS)
def test_a_text_in_place_of_a_list_is_refused_and_not_taken_letter_by_letter(name, text, folder):
    """In a protocol of its own too, which is read even when it is not asked for."""
    shutil.copytree(BENCHMARKS / name, folder / name, dirs_exist_ok=True)
    key = text.split(" ")[0]
    said = damaged(folder, name, text, f'{key} = "Question:"')
    assert "Expected `array`, got `str`" in said
    assert f"{key}`" in said


@pytest.mark.parametrize("name", ["gsm8k", "hellaswag", "xwino_en"])
@pytest.mark.parametrize("scorer", sorted(scorers()))
def test_a_scorer_of_another_kind_is_refused_with_those_that_fit(name, scorer, folder):
    """By the register: what its kind can score, and the two that choose told apart."""
    shutil.copytree(BENCHMARKS / "xwino_en", folder / "xwino_en")
    with SCORERS.open(encoding="utf-8", newline="") as file:
        kinds = {row["scorer_id"]: row["scorer_kind"] for row in csv.DictReader(file)}
    fitting = {
        "gsm8k": {one for one, kind in kinds.items() if kind not in ("choice", "logged")},
        "hellaswag": {"most_likely_choice"},
        "xwino_en": {"most_likely_context"},
    }[name]
    declared_scorer = read_benchmark(name, folder=folder).scorer
    old, new = f'scorer = "{declared_scorer}"', f'scorer = "{scorer}"'
    if scorer not in fitting:
        said = damaged(folder, name, old, new)
        assert f"scorer = {scorer!r} does not fit request.kind = " in said
        assert set(said.partition("these do: ")[2].split(", ")) == fitting
    elif scorer == "rouge2_of_tokens":
        assert "needs [tokens] stores_tokens = true" in damaged(folder, name, old, new)
    else:
        path = folder / name / "benchmark.toml"
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
        assert read_benchmark(name, folder=folder).scorer == scorer


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("gsm8k", "max_new", "temperature = inf\nmax_new", "temperature = inf is not finite"),
        ("gsm8k", "max_new", "temperature = nan\nmax_new", "`$.decoding.temperature`"),
        ("gsm8k", "max_new", "top_p = nan\nmax_new", "`$.decoding.top_p`"),
        ("gsm8k", "max_new", "max_total_tokens = 9\nmax_new", "max_total_tokens are given"),
        ("humaneval", "temperature = 0.2", "temperature = 0.0", "[decoding] temperature above 0"),
        ("humaneval", "temperature = 0.2", "", "[decoding] temperature above 0"),
        ("squad2", '"no_answer"', '"answer"', "purpose = 'answer' is that of the item's own"),
        ("gsm8k", 'version = "1"', 'version = " "', "`$.protocol_version`"),
        ("gsm8k", 'version = "1"', 'version = ""', "`$.protocol_version`"),
        ("gsm8k", "departures = []", 'departures = [" "]', "`$.departures["),
        ("gsm8k", 'item = "Question: {question}\\nAnswer:"', 'item = "?"', "item = '?' names no"),
        ("hellaswag", "{choice}", "{target}", "request.continuation lacks {choice}"),
        ("xwino_en", 'item = "{context}"', 'item = "{target}"', "prompt.item lacks {context}"),
        ("hellaswag", "[tokens]", "[decoding]\nstop = ['a']\n[tokens]", "[decoding] gives stop"),
        (
            "xwino_en",
            "[tokens]",
            "[decoding]\nmax_new_tokens = 1\nseed = 0\n[tokens]",
            "[decoding] gives max_new_tokens, seed; kind contexts generates nothing",
        ),
        ("bbh", 'rule = "none"', 'rule = "none"\nseed = 1', "rule none does not look at seed"),
        (
            "gsm8k",
            "seed = 1234",
            "keep_ratio = 0.5\nshared_count = 2",
            "rule drawn does not look at keep_ratio, shared_count",
        ),
        (
            "gsm8k",
            'rule = "drawn"',
            'rule = "first"\ndraws_spare = true',
            "rule first does not look at draws_spare, seed",
        ),
        (
            "gsm8k",
            'rule = "drawn"',
            'rule = "held_out"\nshuffles_items = true',
            "rule held_out does not look at shuffles_items",
        ),
        ("bbh", "bbh/{name}.json", "bbh/a.json", "no {name} in its path"),
        ("bbh", 'file = "bbh/{name}.json"', 'file = "a.json"', "no {name} in its file"),
        (
            "bbh",
            f'{BBH}\nfile = "bbh/{{name}}.json"',
            'url = "https://example.org/a.json"\nmoving = "It has no versions."',
            "no {name} in its url",
        ),
        ("gsm8k", "gsm8k/test.jsonl", "gsm8k/{name}.jsonl", "no table of sha256 by name"),
    ],
)
def test_what_cannot_be_meant_is_refused(name, old, new, message, folder):
    if not (folder / name).exists():
        shutil.copytree(BENCHMARKS / name, folder / name)
    assert message in damaged(folder, name, old, new)


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("squad2", ("sources", 0, "role")),
        ("squad2", ("sources", 0, "path")),
        ("gsm8k", ("sources", 0, "file")),
        ("gsm8k", ("sources", 0, "github")),
        ("gsm8k", ("sources", 0, "revision")),
        ("gsm8k", ("sources", 0, "sha256")),
        ("hellaswag", ("sources", 0, "hub")),
        ("hellaswag", ("sources", 0, "stand_in", "path")),
        ("hellaswag", ("sources", 0, "stand_in", "sha256")),
        ("squad2", ("request", "extra", "purpose")),
    ],
)
def test_no_line_break_trails_a_name(name, way):
    tables = declared(name)
    assert msgspec.convert(tables, Declaration)
    table = reduce(operator.getitem, way[:-1], tables)
    table[way[-1]] += "\n"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(tables, Declaration)


def test_no_line_break_trails_a_url_or_the_name_of_a_file():
    source = {
        "role": "test",
        "path": "a/{name}",
        "format": "json",
        "sha256": {"a": UNPINNED},
        "licence": "MIT",
        "url": "https://example.org/{name}",
        "moving": "It has no versions.",
    }
    assert msgspec.convert(source, Source)
    for change in ({"url": source["url"] + "\n"}, {"sha256": {"a\n": UNPINNED}}):
        with pytest.raises(msgspec.ValidationError, match="matching regex"):
            msgspec.convert({**source, **change}, Source)


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
        ("hellaswag", "{choice}", "{choice}{choices}", "request.continuation names choices"),
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


@pytest.mark.parametrize("asked", ["reference", "corrected"])
def test_a_damaged_protocol_is_refused_whichever_is_asked(asked, folder):
    path = folder / "squad2" / "benchmark.toml"
    text = path.read_text("utf-8")
    path.write_text(f"{text}\n[protocols.other.few_shot]\ncuont = 3\n", "utf-8")
    place = re.escape(f"{path}: protocols.other: ")
    with pytest.raises(DeclarationError, match=rf"{place}.*unknown field `cuont`"):
        read_benchmark("squad2", asked, folder=folder)
    with pytest.raises(DeclarationError, match=place):
        protocols_of("squad2", folder=folder)


def test_the_reference_is_no_table_of_protocols(folder):
    path = folder / "gsm8k" / "benchmark.toml"
    path.write_text(path.read_text("utf-8") + "\n[protocols.reference]\nitem_count = 1\n", "utf-8")
    with pytest.raises(DeclarationError, match=r"protocols\.reference: the reference is what"):
        read_benchmark("gsm8k", folder=folder)


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
