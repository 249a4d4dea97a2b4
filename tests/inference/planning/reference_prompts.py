"""An independent reading of the references: what they ask, from the benchmarks' files alone.

Nothing of the project is used here, neither its declarations nor its SQL, so that its prompts can
be held against this. Where a reference renders a template with Jinja, the real Jinja renders it,
set up as lm-evaluation-harness 0.4.2 sets it up: it drops the last line break of every template.
"""

from __future__ import annotations

import ast
import csv
import gzip
import io
import json
import lzma
import random
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast
from xml.etree import ElementTree

import jinja2
import pyarrow as pa
import pyarrow.ipc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Row = dict[str, Any]


class Asked(NamedTuple):
    """One thing that a reference asks: a prompt to complete, or continuations to weigh after it."""

    prompt: str
    continuations: tuple[str, ...] = ()


# --- the files, as upstream has them or as a mirror or the demonstration stand in for them


@dataclass(frozen=True)
class Folder:
    """The files of a benchmark, whatever they are packed in."""

    path: Path

    def open(self, name: str) -> IO[bytes]:
        """The file `name`, unpacked."""
        path = self.path / name
        for suffix, opened in ((".xz", lzma.open), (".gz", gzip.open), ("", open)):
            packed = path.with_name(path.name + suffix)
            if packed.is_file():
                return cast("IO[bytes]", opened(packed, "rb"))
        raise FileNotFoundError(path)

    def has(self, name: str) -> bool:
        return any((self.path / (name + suffix)).is_file() for suffix in ("", ".xz", ".gz"))

    def text(self, name: str) -> str:
        with self.open(name) as file:
            return file.read().decode("utf-8")

    def csv_lines(self, name: str) -> io.StringIO:
        """Lines for `csv.reader`, which are not those of `str.splitlines`."""
        return io.StringIO(self.text(name).removeprefix("\ufeff"), newline=None)

    def json(self, name: str) -> Any:
        return json.loads(self.text(name))

    def rows(self, *names: str) -> list[Row]:
        """Rows of the first of these files that is here: Arrow, JSON Lines or a JSON array."""
        name = next(name for name in names if self.has(name))
        if name.endswith(".arrow"):
            with self.open(name) as file:
                return cast("list[Row]", pa.ipc.open_stream(file).read_all().to_pylist())
        text = self.text(name)
        if text.lstrip().startswith("["):
            return cast("list[Row]", json.loads(text))
        return [json.loads(line) for line in text.split("\n") if line]

    def lines(self, name: str) -> list[str]:
        return [line.rstrip() for line in self.text(name).removesuffix("\n").split("\n")]


# --- llm-jp-eval


def llm_jp_eval(
    instruction: str, shots: Sequence[tuple[str, str]], inputs: Sequence[str]
) -> Iterator[Asked]:
    head = (
        "以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。"
        "要求を適切に満たす応答を書きなさい。\n\n### 指示:\n" + instruction
    )
    for text, answer in shots:
        head += f"\n\n### 入力:\n{text}\n\n### 応答:\n{answer}"
    for text in inputs:
        yield Asked(f"{head}\n\n### 入力:\n{text}\n\n### 応答:\n")


def first_of_shuffled(pool: Sequence[Any], count: int = 4) -> list[Any]:
    shuffled = list(pool)
    random.Random(42).shuffle(shuffled)
    kept = shuffled[: int(len(shuffled) * 0.9)]
    # What stands in for a pool may be no more than the shots.
    return kept[:count] if len(kept) >= count else shuffled[:count]


def jcommonsenseqa(folder: Folder) -> Iterator[Asked]:
    def pair(row: Row) -> tuple[str, str]:
        choices = ",".join(f"{number}.{row[f'choice{number}']}" for number in range(5))
        return f"質問：{row['question']}\n選択肢：{choices}", str(row["label"])

    yield from llm_jp_eval(
        "質問と回答の選択肢を入力として受け取り、選択肢から回答を選択してください。"
        "なお、回答は選択肢の番号（例：0）でするものとします。 "
        "回答となる数値をint型で返し、他には何も含めないことを厳守してください。",
        [pair(row) for row in first_of_shuffled(folder.rows("train-v1.1.json"))],
        [pair(row)[0] for row in folder.rows("valid-v1.1.json")],
    )


def jemhopqa(folder: Folder) -> Iterator[Asked]:
    yield from llm_jp_eval(
        "質問を入力とし、回答を出力してください。回答の他には何も含めないことを厳守してください。"
        "回答が'はい'と'いいえ'で答えることができる場合、'YES'と'NO'で答えてください。",
        [
            (f"質問：{row['question']}", row["answer"])
            for row in first_of_shuffled(folder.rows("train.json"))
        ],
        [f"質問：{row['question']}" for row in folder.rows("dev.json")],
    )


def niilc(folder: Folder) -> Iterator[Asked]:
    def pairs(name: str) -> list[tuple[str, str]]:
        found = []
        for question in ElementTree.fromstring(folder.text(name).encode()).iter("question"):
            text = (question.findtext("text") or "").strip()
            answers = [(answer.text or "").strip() for answer in question.iter("answer")]
            answer = ",".join(one for one in answers if one)
            if answer != "-":
                found.append((f"質問：{text}", answer))
        return found

    yield from llm_jp_eval(
        "質問に対する答えを出力してください。回答の他には何も含めないことを厳守してください。"
        "答えが複数の場合、コンマ（,）で繋げてください。",
        first_of_shuffled(pairs("NIILC-ECQA2015_dev.xml")),
        [text for text, _ in pairs("NIILC-ECQA2015_test.xml")],
    )


def jsquad(folder: Folder) -> Iterator[Asked]:
    def pairs(articles: list[Row]) -> list[tuple[str, str]]:
        return [
            (
                f"文章：{paragraph['context']}\n質問：{question['question']}",
                question["answers"][0]["text"],
            )
            for article in articles
            for paragraph in article["paragraphs"]
            for question in paragraph["qas"]
        ]

    if folder.has("train-v1.1.json"):
        pool = pairs(folder.json("train-v1.1.json")["data"])
    else:
        rows = folder.rows("fewshot_4_from_flexeval.derived.json")
        pool = [(row["input"], row["output"]) for row in rows]
    yield from llm_jp_eval(
        "質問に対する回答を文章から一言で抽出してください。回答は名詞で答えてください。 "
        "それ以外には何も含めないことを厳守してください。",
        first_of_shuffled(pool),
        [text for text, _ in pairs(folder.json("valid-v1.1.json")["data"])],
    )


JMMLU_FILES = [
    "econometrics",
    "human_aging",
    "high_school_psychology",
    "professional_medicine",
    "electrical_engineering",
    "college_mathematics",
    "medical_genetics",
    "formal_logic",
    "nutrition",
    "prehistory",
    "world_religions",
    "japanese_history",
    "high_school_geography",
    "international_law",
    "logical_fallacies",
    "human_sexuality",
    "philosophy",
    "college_medicine",
    "professional_accounting",
    "high_school_mathematics",
    "global_facts",
    "business_ethics",
    "high_school_chemistry",
    "college_physics",
    "high_school_statistics",
    "moral_disputes",
    "high_school_biology",
    "miscellaneous",
    "high_school_macroeconomics",
    "high_school_computer_science",
    "abstract_algebra",
    "elementary_mathematics",
    "jurisprudence",
    "security_studies",
    "high_school_physics",
    "college_computer_science",
    "public_relations",
    "management",
    "computer_security",
    "college_chemistry",
    "anatomy",
    "high_school_european_history",
    "machine_learning",
    "virology",
    "high_school_microeconomics",
    "astronomy",
    "world_history",
    "college_biology",
    "clinical_knowledge",
    "conceptual_physics",
    "professional_psychology",
    "sociology",
    "marketing",
]
"""In the order of the reference."""


def jmmlu_halves(folder: Folder) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    """Rows of the first halves, of the second halves, and all; before 16 of each are set aside."""
    generator = random.Random(42)
    dev: list[list[str]] = []
    test: list[list[str]] = []
    whole: list[list[str]] = []
    for name in JMMLU_FILES:
        if folder.has(f"{name}.csv"):
            lines = folder.csv_lines(f"{name}.csv")
            rows = list(csv.reader(lines, quoting=csv.QUOTE_ALL))
            whole += rows
            generator.shuffle(rows)
            dev += rows[: len(rows) // 2]
            test += rows[len(rows) // 2 :]
    generator.shuffle(dev)
    generator.shuffle(test)
    return dev, test, whole


def jmmlu_asked(shots: list[list[str]], items: list[list[str]]) -> Iterator[Asked]:
    def text(row: list[str]) -> str:
        return f"質問：{row[0]}\n選択肢：A.{row[1]},B.{row[2]},C.{row[3]},D.{row[4]}"

    yield from llm_jp_eval(
        "与えられた質問と選択肢から、最も適切な回答を選択してください。なお、回答には"
        "選択肢のアルファベット（例：A）のみを含め、他には何も含めないことを厳守してください。",
        [(text(row), row[5]) for row in shots],
        [text(row) for row in items],
    )


def jmmlu(folder: Folder) -> Iterator[Asked]:
    dev, test, _ = jmmlu_halves(folder)
    yield from jmmlu_asked(dev[:5], test[16:])


def jmmlu_full(folder: Folder) -> Iterator[Asked]:
    """No reference asks this: jmmlu's prompt and shots, before every other row."""
    dev, _, whole = jmmlu_halves(folder)
    yield from jmmlu_asked(dev[:5], [row for row in whole if row not in dev[:5]])


# --- lm-evaluation-harness-jp


def lm_eval_jp(
    documents: Sequence[Any],
    pool: Sequence[Any] | None,
    count: int,
    text: Callable[[Any], str],
    target: Callable[[Any], str],
    description: str = "",
) -> Iterator[tuple[Any, str, list[Any]]]:
    """Document, prompt and shots, in the order in which the reference asks."""
    generator = random.Random()
    generator.seed(42)
    shuffled = list(documents)
    generator.shuffle(shuffled)
    for document in shuffled:
        if pool is not None:
            shots = generator.sample(pool, count)
        else:
            drawn = generator.sample(documents, count + 1)
            shots = [shot for shot in drawn if shot != document][:count]
        worked = "".join(f"{text(shot)}{target(shot)}\n\n" for shot in shots)
        yield document, f"{description}{worked}{text(document)}", shots


def xlsum_ja(folder: Folder) -> Iterator[Asked]:
    for _, prompt, _ in lm_eval_jp(
        folder.rows("test.jsonl"),
        folder.rows("train.jsonl"),
        1,
        lambda row: f"ニュース記事:{row['text']}\n要約:",
        lambda row: str(row["summary"]),
        "与えられたニュース記事を要約してください。\n\n",
    ):
        yield Asked(prompt)


def cut_xlsum(
    prompt: str,
    summary: str,
    encode: Callable[[str], Sequence[int]],
    decode: Callable[[Sequence[int]], str],
    max_length: int,
) -> str:
    """The prompt with articles cut, as the reference does where it does not fit `max_length`."""
    allowed = max_length - (len(encode(summary)) + 10)
    if len(encode(prompt)) <= allowed:
        return prompt
    description, *articles = prompt.split("ニュース記事:")
    share = allowed // len(articles)
    parts = [description]
    for article in articles:
        text, rest = article.split("要約:")
        pieces = f"ニュース記事:{text}".split("。")
        kept: list[str] = []
        while pieces and len(encode("。".join([*kept, pieces[0]]))) <= share:
            kept.append(pieces.pop(0))
        if not kept:
            shown = decode(encode(pieces[0])[:share]) + "\n"
        elif pieces:
            shown = "。".join(kept) + "。\n"
        else:
            shown = "。".join(kept)
        parts.append(f"{shown}要約:{rest}")
    return "".join(parts)


def mgsm_ja(folder: Folder) -> Iterator[Asked]:
    exemplars = folder.rows("mgsm_ja_exemplars.derived.json", "mgsm_ja_exemplars.json")
    problems = [
        {"question": line.split("\t")[0], "answer": ""} for line in folder.lines("mgsm_ja.tsv")
    ]
    for _, prompt, _ in lm_eval_jp(
        problems,
        exemplars,
        4,
        lambda row: f"問題：{row['question'].replace('問題：', '')}\nステップごとの答え：",
        lambda row: str(row["answer"]).replace("ステップごとの答え：", ""),
    ):
        yield Asked(prompt)


def wmt20(folder: Folder, source: str, target: str) -> Iterator[Asked]:
    pair = f"{source}-{target}" if (source, target) == ("eng", "jpn") else "jpn-eng"
    names = {"eng": "English", "jpn": "Japanese"}
    both = zip(
        folder.lines(f"{pair}.newstest2020.{source}"),
        folder.lines(f"{pair}.newstest2020.{target}"),
        strict=True,
    )
    for _, prompt, _ in lm_eval_jp(
        list(both),
        None,
        4,
        lambda row: f"{names[source]} phrase: {row[0]}\n{names[target]} phrase:",
        lambda row: f" {row[1]}",
    ):
        yield Asked(prompt)


# --- lm-evaluation-harness-en

ENVIRONMENT = jinja2.Environment(undefined=jinja2.StrictUndefined)

compiled = lru_cache(ENVIRONMENT.from_string)


def rendered(template: str, row: Row) -> str:
    return compiled(template).render(**row)


def lm_eval_en(
    documents: Sequence[Row],
    pool: Sequence[Row],
    text: Callable[[Row], str],
    target: Callable[[Row], str],
    *,
    same_split: bool = False,
) -> Iterator[tuple[Row, str]]:
    """Document and what stands before its own text: four shots, drawn anew for each."""
    generator = random.Random(1234)
    for document in documents:
        drawn = generator.sample(pool, 4 + same_split)
        shots = [shot for shot in drawn if shot != document][:4]
        yield document, "".join(f"{text(shot)} {target(shot)}\n\n" for shot in shots)


def openbookqa(folder: Folder) -> Iterator[Asked]:
    def gold(row: Row) -> str:
        return str(row["choices"]["text"][row["choices"]["label"].index(row["answerKey"].lstrip())])

    documents = folder.rows("test.derived.jsonl", "test.jsonl")
    pool = folder.rows("train.derived.jsonl", "train.jsonl")
    for row, shots in lm_eval_en(documents, pool, lambda row: str(row["question_stem"]), gold):
        choices = tuple(f" {choice}" for choice in row["choices"]["text"])
        yield Asked(shots + row["question_stem"], choices)


def triviaqa(folder: Folder) -> Iterator[Asked]:
    if folder.has("train.jsonl"):
        pool = folder.rows("train.jsonl")
    else:
        # Lines of CSV with tabs; its second column is a list as Python writes it.
        lines = folder.csv_lines("topics.dpr.trivia.dev.txt")
        pool = [
            {"question": question, "answer": {"aliases": ast.literal_eval(aliases)}}
            for question, aliases in csv.reader(lines, delimiter="\t")
        ]
    template = "Question: {{question}}?\nAnswer:"
    for row, shots in lm_eval_en(
        folder.rows("rc.wikipedia.nocontext.validation.arrow", "validation.jsonl"),
        pool,
        lambda row: rendered(template, row),
        lambda row: str(row["answer"]["aliases"][0]),
        same_split=True,
    ):
        yield Asked(shots + rendered(template, row))


def hellaswag(folder: Folder) -> Iterator[Asked]:
    def clean(text: str) -> str:
        text = text.strip().replace(" [title]", ". ")
        return re.sub(r"\[.*?\]", "", text).replace("  ", " ")

    def prepared(row: Row) -> Row:
        if "query" in row:
            return row
        context = f"{row['ctx_a']} {row['ctx_b'].capitalize()}"
        return {
            "query": clean(f"{row['activity_label']}: {context}"),
            "choices": [clean(ending) for ending in row["endings"]],
            "gold": int(row["label"]),
        }

    for row, shots in lm_eval_en(
        [prepared(row) for row in folder.rows("validation.arrow", "validation.jsonl")],
        [prepared(row) for row in folder.rows("train_processed.derived.jsonl", "train.jsonl")],
        lambda row: rendered("{{query}}", row),
        lambda row: str(row["choices"][row["gold"]]),
        same_split=True,
    ):
        choices = tuple(f" {choice}" for choice in row["choices"])
        yield Asked(shots + rendered("{{query}}", row), choices)


def squad2(folder: Folder) -> Iterator[Asked]:
    def text(row: Row) -> str:
        return (
            f"Title: {row['title']}\n\nBackground: {row['context']}\n\n"
            f"Question: {row['question']}\n\nAnswer:"
        )

    def target(row: Row) -> str:
        answers = row["answers"]["text"]
        return f" {answers[0]}" if answers else " unanswerable"

    derived = "dev-v2.0.reconstructed.derived.jsonl"
    for row, shots in lm_eval_en(
        folder.rows(derived, "validation.jsonl"),
        folder.rows(derived, "train.jsonl"),
        text,
        target,
        same_split=True,
    ):
        yield Asked(shots + text(row))
        yield Asked(shots + text(row), (" unanswerable",))


def xwino_en(folder: Folder) -> Iterator[Asked]:
    def contexts(row: Row) -> list[str]:
        before = row["sentence"][: row["sentence"].index("_")]
        return [before + row["option1"], before + row["option2"]]

    def rest(row: Row) -> str:
        return str(row["sentence"][row["sentence"].index("_") + 1 :].strip())

    rows = folder.rows("xwinograd_en.derived.jsonl")
    for row, shots in lm_eval_en(
        rows, rows, lambda row: contexts(row)[int(row["answer"]) - 1], rest
    ):
        for context in contexts(row):
            yield Asked(shots + context, (f" {rest(row)}",))


def mmlu(folder: Folder) -> Iterator[Asked]:
    template = (
        "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\n"
        "D. {{choices[3]}}\nAnswer:"
    )
    for path in sorted((folder.path / "hails_mmlu_no_train").iterdir()):
        subject = Folder(path)
        head = rendered(
            "The following are multiple choice questions (with answers) about"
            f" {path.name.replace('_', ' ')}.\n\n",
            {},
        )
        for row in subject.rows("dev.arrow", "dev.jsonl")[:5]:
            head += f"{rendered(template, row)} {'ABCD'[row['answer']]}\n\n"
        for row in subject.rows("test.arrow", "test.jsonl"):
            yield Asked(head + rendered(template, row), (" A", " B", " C", " D"))


def gsm8k(folder: Folder) -> Iterator[Asked]:
    template = "Question: {{question}}\nAnswer:"
    for row, shots in lm_eval_en(
        folder.rows("test.jsonl"),
        folder.rows("train.jsonl"),
        lambda row: rendered(template, row),
        lambda row: rendered("{{answer}}", row),
    ):
        yield Asked(shots + rendered(template, row))


def bbh(folder: Folder) -> Iterator[Asked]:
    for path in sorted((folder.path / "bbh").iterdir()):
        text = folder.text(f"cot-prompts/{path.stem}.txt").partition("-----\n")[2]
        description, _, worked = text.partition("\n\nQ: ")
        # The worked examples are literal text of the template.
        template = (
            "{% raw %}Q: " + worked + "{% endraw %}\n\nQ: {{input}}\nA: Let's think step by step.\n"
        )
        for row in folder.json(f"bbh/{path.name}")["examples"]:
            yield Asked(rendered(f"{description}\n\n", {}) + rendered(template, row))


# --- bigcode-evaluation-harness


def humaneval(folder: Folder) -> Iterator[Asked]:
    for row in folder.rows("HumanEval.jsonl"):
        yield Asked(row["prompt"])


def jhumaneval(folder: Folder) -> Iterator[Asked]:
    for row in folder.rows("jhuman-eval.jsonl"):
        yield Asked(row["prompt"])


READINGS: dict[str, tuple[str, Callable[[Folder], Iterator[Asked]]]] = {
    "jcommonsenseqa": ("jcommonsenseqa", jcommonsenseqa),
    "jemhopqa": ("jemhopqa", jemhopqa),
    "niilc": ("niilc", niilc),
    "jsquad": ("jsquad", jsquad),
    "jmmlu": ("jmmlu", jmmlu),
    "jmmlu_full": ("jmmlu", jmmlu_full),
    "xlsum_ja": ("xlsum_ja", xlsum_ja),
    "mgsm_ja": ("mgsm_ja", mgsm_ja),
    "wmt20_en_ja": ("wmt20", lambda folder: wmt20(folder, "eng", "jpn")),
    "wmt20_ja_en": ("wmt20", lambda folder: wmt20(folder, "jpn", "eng")),
    "jhumaneval": ("jhumaneval", jhumaneval),
    "openbookqa": ("openbookqa", openbookqa),
    "triviaqa": ("triviaqa", triviaqa),
    "hellaswag": ("hellaswag", hellaswag),
    "squad2": ("squad2", squad2),
    "xwino_en": ("xwino", xwino_en),
    "mmlu": ("mmlu", mmlu),
    "gsm8k": ("gsm8k", gsm8k),
    "bbh": ("bbh", bbh),
    "humaneval": ("humaneval", humaneval),
}
"""Benchmark to its folder in a mirror, and to how it is read."""
