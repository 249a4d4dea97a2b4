"""The benchmarks, on their own files: items, prompts and shots are those of the references."""

from __future__ import annotations

import hashlib
import json
import random

import duckdb
import pyarrow as pa
import pytest

from inference.planning.declarations import benchmark_ids, protocols_of, read_benchmark
from inference.planning.few_shot import split_items, with_shots
from inference.planning.files import cached_files, demo_files
from inference.planning.items import STRIP_MACRO, read_items
from inference.planning.prompts import filled, item_text
from tests.inference.conftest import needs_mirror

# sha256 of all zero-shot requests, as lm-evaluation-harness keeps them in tests/testdata:
# [[context, second element], ...] of the items shuffled by random.Random(42), as JSON.
REQUEST_HASHES = [
    ("wmt20_en_ja", "until", "7fe61f5847a51e93e97c84b39f4420978727754e4b6cf636a27851c615857530"),
    ("wmt20_ja_en", "until", "1fd846f3c0104e794eb380dae7f648592092ab8bf59234c26d0a671bbbc28df1"),
    ("gsm8k", "until", "e7292dbdd7fd8419ba954f2e0701e04c8d0e8842fe053dbf2fe47d926630e35e"),
    ("hellaswag", "choices", "abb808c97d6529eda6c11067837a132c62d25cba0394d720f80cca6df9f7196e"),
    ("openbookqa", "choices", "78a49a0ca1a47373adb33463b1d092e6bc0d8f4b01bcb380ada48065037849d7"),
    ("squad2", "until", "e17e3d85c1d5adaf2d6b4b752c4babc2e0b3a6e144e6de70cb3b2287e85109b8"),
    ("squad2", "extra", "f5da6173402b274dc89130755c222c6ca6b2a3bacaaa4e4ab07be9322b7bad65"),
]

ITEM_COUNTS = {
    "jcommonsenseqa": 1119,
    "jemhopqa": 120,
    "niilc": 198,
    "jsquad": 4442,
    "mgsm_ja": 250,
    "wmt20_en_ja": 1000,
    "wmt20_ja_en": 993,
    "jmmlu": 3541,
    "jmmlu_full": 7092,
    "jhumaneval": 164,
    "openbookqa": 500,
    # The mirror has the Wikipedia part of TriviaQA only.
    "triviaqa": 7993,
    "hellaswag": 10042,
    "squad2": 11873,
    "xwino_en": 2325,
    "mmlu": 14042,
    "gsm8k": 1319,
    "bbh": 6511,
    "humaneval": 164,
}

# Places in the pool of the first item's shots, by the reference's own generator.
DRAWS = {
    "gsm8k": [6374, 3610, 957, 61],
    "openbookqa": [3610, 957, 61, 742],
    "hellaswag": [28883, 7657, 490, 5940],
    "xwino_en": [1805, 478, 30, 371],
}

SHOT_IDS = {
    "jcommonsenseqa": ["1011", "4986", "4239", "1005"],
    "jemhopqa": ["9a7a952b", "7806b636", "af6d1e98", "9beb3c08"],
    "niilc": [f"NIILC-ECQA2015-{number:05d}-01" for number in (728, 821, 943, 389)],
}


def items_of(benchmark_id, cache):
    benchmark = read_benchmark(benchmark_id)
    items = read_items(benchmark, cached_files(benchmark, cache))
    return benchmark, split_items(items, benchmark.few_shot)


@pytest.mark.slow(seconds=15)
@needs_mirror
@pytest.mark.parametrize(("benchmark_id", "second", "expected"), REQUEST_HASHES)
def test_zero_shot_requests_hash_to_the_reference(benchmark_id, second, expected, cache):
    benchmark, items = items_of(benchmark_id, cache)
    shuffled = list(items.test)
    random.Random(42).shuffle(shuffled)
    requests = []
    for item in shuffled:
        context = item_text(benchmark, item)
        if second == "until":
            requests.append([context, ["\n"]])
        elif second == "extra":
            requests.append([context, benchmark.request.extra.continuation])
        else:
            requests += [
                [context, filled(benchmark.request.continuation, item, benchmark, choice=choice)]
                for choice in item.choices
            ]
    assert hashlib.sha256(json.dumps(requests, sort_keys=True).encode()).hexdigest() == expected


@pytest.mark.slow(seconds=15)
@needs_mirror
@pytest.mark.parametrize("benchmark_id", ITEM_COUNTS)
def test_there_are_as_many_items_as_the_protocol_says(benchmark_id, cache):
    _, items = items_of(benchmark_id, cache)
    assert len(items.test) == ITEM_COUNTS[benchmark_id]


@pytest.mark.slow(seconds=15)
@needs_mirror
@pytest.mark.parametrize("benchmark_id", DRAWS)
def test_the_first_draw_is_the_references(benchmark_id, cache):
    benchmark, items = items_of(benchmark_id, cache)
    first = next(with_shots(items, benchmark))
    assert [shot.position for shot in first.shots] == DRAWS[benchmark_id]


@needs_mirror
@pytest.mark.parametrize("benchmark_id", SHOT_IDS)
def test_common_shots_are_the_references(benchmark_id, cache):
    benchmark, items = items_of(benchmark_id, cache)
    for item in list(with_shots(items, benchmark))[:3]:
        ids = [shot.item_id for shot in item.shots]
        assert [
            found[: len(wanted)] for found, wanted in zip(ids, SHOT_IDS[benchmark_id], strict=True)
        ] == SHOT_IDS[benchmark_id]


@needs_mirror
def test_winograd_sentences_are_split_at_their_pronoun(cache):
    _, items = items_of("xwino_en", cache)
    path = cache.parent / "xwinograd_en.derived.jsonl"
    from tests.inference.conftest import MIRROR

    path = f"{MIRROR}/xwino/xwinograd_en.derived.jsonl"
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        for line, item in zip(file, items.test, strict=True):
            row = json.loads(line)
            before, _, after = row["sentence"].partition("_")
            assert item.choices == (before + row["option1"], before + row["option2"])
            assert item.target == after.strip()
            assert item.gold_index == int(row["answer"]) - 1


@needs_mirror
def test_shots_of_jmmlu_are_the_references_and_those_of_the_whole(cache):
    shots = {}
    for benchmark_id in ("jmmlu", "jmmlu_full"):
        benchmark, items = items_of(benchmark_id, cache)
        every = [[shot.item_id for shot in one.shots] for one in with_shots(items, benchmark)]
        assert every.count(every[0]) == len(items.test)
        shots[benchmark_id] = every[0]
        answers = {shot.item_id: shot.target for shot in items.pool}
        assert [answers[name] for name in every[0]] == ["B", "A", "C", "B", "B"]
        assert not set(every[0]) & {item.item_id for item in items.test}
    assert shots["jmmlu"] == shots["jmmlu_full"]


@needs_mirror
def test_the_stand_in_for_the_pool_of_triviaqa_is_read_as_it_was_written(cache):
    _, items = items_of("triviaqa", cache)
    questions = {item.fields["question"]: item.golds for item in items.pool}
    # One layer of quotes is the file's own, as the questions themselves tell ...
    assert 'On what piece of equipment would you perform a "Smith Grind"?' in questions
    # ... and a second one is upstream's: the questions of the validation split have it, too.
    assert sum(text.startswith('"') for text in questions) == 548
    assert sum(item.fields["question"].startswith('"') for item in items.test) == 483
    poisoners = (
        "Which method of execution for poisoners was introduced by Henry the Eighth in 1531?"
    )
    assert questions[poisoners] == ("-Â\u00a0 They were boiled to death",)
    assert not any("\\x" in alias for aliases in questions.values() for alias in aliases)


@pytest.mark.slow(seconds=4)
def test_items_can_strip_as_python_does():
    characters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    with duckdb.connect() as connection:
        connection.execute(STRIP_MACRO)
        connection.register("characters", pa.table({"one": characters}))
        stripped = connection.execute(
            "select python_strip(one || 'a' || one || 'b' || one) as text from characters"
        ).to_arrow_table()
    assert stripped["text"].to_pylist() == [f"{one}a{one}b{one}".strip() for one in characters]


@pytest.mark.parametrize("benchmark_id", benchmark_ids())
def test_demonstration_items_are_enough_and_have_their_shots(benchmark_id):
    for protocol in protocols_of(benchmark_id):
        benchmark = read_benchmark(benchmark_id, protocol)
        items = split_items(read_items(benchmark, demo_files(benchmark)), benchmark.few_shot)
        assert len(items.test) >= 8
        for item, shots in with_shots(items, benchmark):
            # An item of XWINO that is drawn for itself is not replaced.
            missing = 1 if benchmark_id == "xwino_en" else 0
            assert len(shots) >= benchmark.few_shot.count - missing
            assert item.content not in [shot.content for shot in shots]
            assert item_text(benchmark, item)


def test_questions_of_triviaqa_have_two_marks_and_one_when_corrected():
    texts = {}
    for protocol in ("reference", "corrected"):
        benchmark = read_benchmark("triviaqa", protocol)
        item = read_items(benchmark, demo_files(benchmark)).test[0]
        texts[protocol] = item_text(benchmark, item)
    assert texts["reference"] == "Question: What is the capital of France??\nAnswer:"
    assert texts["corrected"] == "Question: What is the capital of France?\nAnswer:"


def test_an_item_of_niilc_without_an_answer_is_dropped_and_several_are_joined():
    benchmark = read_benchmark("niilc")
    items = read_items(benchmark, demo_files(benchmark)).test
    assert "-" not in [item.target for item in items]
    assert "京都,京都市" in [item.target for item in items]
