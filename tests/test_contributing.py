"""CONTRIBUTING.md's examples, followed to the letter in a copy of the project.

The server that is asked is a stub: no model, but one that always says the same.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pytest
from aiohttp import web

from tests.dbt_project import REPOSITORY, copy_project, dbt_environment
from tests.inference.asking.stub_server import MODEL, generated, stub_server
from tests.warehouse.faults import DamagedWarehouse, Fault

if TYPE_CHECKING:
    from typing import Any

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")

SAID = "那覇市です"

ASKED = "--model example/model --endpoint http://127.0.0.1:30000"
"""The server of the text, in whose place the stub is asked."""


class Example(NamedTuple):
    """A block of the text that goes into a file, or a list of commands."""

    path: str
    """Empty for commands."""
    place: str
    """Where in the file: empty for a new one, otherwise `at its end`, or what the line begins with
    that it goes above or below."""
    block: str


def examples() -> list[Example]:
    """Every block that is written or run, in the order of the text."""
    found = []
    for caption, language, block in re.findall(
        r"(?:^(`[^\n]*):\n\n)?^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE
    ):
        if language == "sh":
            found.append(Example("", "", block))
        elif caption:
            path, _, place = caption[1:].partition("`")
            found.append(Example(path, place.removeprefix(", "), block))
    return found


def write(example: Example, project: Path) -> None:
    path = project / example.path
    if not example.place:
        assert not path.exists(), f"{example.path} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(example.block, encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    if example.place == "at its end":
        path.write_text(text + example.block, encoding="utf-8")
        return
    side, _, start = example.place.partition(" `")
    start = start.removesuffix("`")
    lines = text.splitlines(keepends=True)
    (index,) = (i for i, line in enumerate(lines) if line.startswith(start))
    lines.insert(index + {"above": 0, "below": 1}[side], example.block)
    path.write_text("".join(lines), encoding="utf-8")


class Followed(NamedTuple):
    """The copy of the project after everything in the text was done."""

    project: Path
    data: Path
    """Folder of its databases and of what dbt writes of itself."""
    printed: list[str]
    """By block of commands, in the order of the text."""
    call_counts: list[int]
    """How often the stub had been asked after each of them."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the warehouse answers, with the raw store attached."""
        with duckdb.connect(self.data / "warehouse.duckdb", read_only=True) as connection:
            store = self.data / "generations.duckdb"
            connection.execute(f"attach '{store}' as generations (read_only)")
            return connection.execute(query).fetchall()


def answer_with(call: dict[str, Any]) -> web.Response:
    return web.json_response([generated(SAID, len(prompt), 3) for prompt in call["input_ids"]])


@pytest.fixture(scope="module")
def followed(
    built_warehouse: Path, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Followed:
    data = tmp_path_factory.mktemp("contributing")
    project = copy_project(data)
    ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
    for name in ("app", "inference", "tests"):
        shutil.copytree(REPOSITORY / name, project / name, ignore=ignored, dirs_exist_ok=True)
    for path in REPOSITORY.iterdir():
        if path.is_file() and not (project / path.name).exists() and not path.name.startswith("."):
            shutil.copy(path, project)
    (data / "target").mkdir()
    for name in ("warehouse.duckdb", "generations.duckdb", "target/partial_parse.msgpack"):
        shutil.copy(built_warehouse.parent / name, data / name)
    environment = {
        **os.environ,
        # Addresses from the project, as where it was parsed.
        **dbt_environment(Path("..")),
        "DBT_PROFILES_DIR": "warehouse",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "EVALWH_SHARDS": str(data / "shards"),
        # The installed commands then run the copy.
        "PYTHONPATH": str(project),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    printed: list[str] = []
    call_counts: list[int] = []
    with stub_server(answer_with=answer_with) as stub:
        here = f"--model {MODEL} --endpoint {stub.url} --tokenizer {tokenizer_folder}"
        for example in examples():
            if example.path:
                write(example, project)
                continue
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", example.block.replace(ASKED, here)],
                cwd=project,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, example.block + done.stdout[-6000:] + done.stderr[-6000:]
            printed.append(done.stdout)
            call_counts.append(len(stub.calls))
    return Followed(project, data, printed, call_counts)


@pytest.mark.slow(seconds=45)
def test_a_benchmark_is_planned_and_asked_with_its_prompts(followed: Followed) -> None:
    planned, _, printed = followed.printed[0].partition("3 requests, 0 answered before, 3 now")
    assert re.search(r"^prefecture_capitals +3 +3 +0 ", planned, re.MULTILINE)
    assert f" {SAID} " in f"{printed} ".replace("\n", " \n")
    asked = followed.rows(
        "select item_id, prompt_text from marts.fct_sample_texts"
        " where benchmark_id = 'prefecture_capitals' and scorer_id = 'nfkc_exact_match'"
        " order by item_id"
    )
    (shot,) = {prompt.split("\n\n")[0] for _, prompt in asked}
    assert shot[3:6] in ("宮城県", "石川県")
    questions = [prompt.split("\n\n")[1] for _, prompt in asked]
    assert [question[3:6] for question in questions] == ["沖縄県", "福岡県", "愛知県"]
    assert {question[-3:] for question in questions} == {"答え："}


def test_a_scorer_scores_and_asks_nothing_anew(followed: Followed) -> None:
    assert len(set(followed.call_counts)) == 1
    assert followed.call_counts[0] > 0
    assert "3 requests, 3 answered before, 0 now, 0 failed" in followed.printed[1]
    assert followed.rows(
        "select scorer_id, scorer_version, item_id, score from marts.fct_item_scores"
        " where benchmark_id = 'prefecture_capitals' order by all"
    ) == [
        *(("begins_with_gold", 1, item_id, item_id == "0") for item_id in "012"),
        *(("nfkc_exact_match", 1, item_id, 0) for item_id in "012"),
    ]
    assert re.search(rf"begins_with_gold +{SAID} +1 +1\n", followed.printed[1])


def test_a_format_brings_in_what_was_logged(followed: Followed) -> None:
    assert followed.rows(
        """
        select sessions.item_set, prompts.prompt_text[8:9], generations.completion_text,
            logged.logged_score
        from staging.stg_logged_scores as logged
        inner join staging.stg_run_requests as asked using (request_id)
        inner join staging.stg_run_sessions as sessions using (run_id)
        inner join staging.stg_requests as requests using (request_id)
        inner join staging.stg_prompts as prompts using (prompt_id)
        inner join staging.stg_generations as generations using (request_id)
        where asked.benchmark_id = 'rivers' order by logged_score"""
    ) == [("imported", "湖は", "霞ヶ浦", 0), ("imported", "川は", "信濃川", 1)]


def test_a_table_has_a_row_for_each_subset(followed: Followed) -> None:
    rows = followed.rows(
        "select score, subset, scored_count, unscored_count from marts.fct_subset_scores"
        " where benchmark_id = 'prefecture_capitals' order by all"
    )
    assert rows == [
        (0, "中部", 1, 0),
        (0, "中部", 1, 0),
        (0, "九州", 2, 0),
        (0.5, "九州", 2, 0),
    ]
    assert "九州" in followed.printed[3]


@pytest.fixture(scope="module")
def added_faults() -> list[Fault]:
    (block,) = (e.block for e in examples() if e.path == "tests/warehouse/faults.csv")
    return [Fault(*line.split(",")) for line in block.splitlines()]


def test_every_rule_of_the_table_has_a_fault_that_it_catches(
    followed: Followed, added_faults: list[Fault], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(followed.data / name, tmp_path)
    # Where the keys of tables are read from.
    monkeypatch.setattr("tests.warehouse.faults.HERE", followed.project / "tests" / "warehouse")
    damaged = DamagedWarehouse(tmp_path, followed.data / "target" / "manifest.json")
    catches = [damaged.caught(fault) for fault in added_faults]
    damaged.close()
    assert [catch and catch.test for catch in catches] == ["rules_of_fct_subset_scores"] * 2


def test_a_page_opens_and_is_documented(followed: Followed) -> None:
    # The commands of the text are the page's own test and the tests of the documentation.
    assert re.search(r"^\d+ passed", followed.printed[4], re.MULTILINE)


def test_the_code_of_the_examples_is_in_house_style(followed: Followed) -> None:
    paths = [example.path for example in examples() if example.path.endswith(".py")]
    assert len(set(paths)) == 5
    for verb in (("check",), ("format", "--check", "--diff")):
        ruff = subprocess.run(
            [str(Path(sys.executable).parent / "ruff"), *verb, "--no-cache", *set(paths)],
            cwd=followed.project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ruff.returncode == 0, ruff.stdout + ruff.stderr


def test_every_example_is_written_or_run() -> None:
    found = examples()
    fences = re.findall(r"^```(\w+)$", TEXT, re.MULTILINE)
    # The verbs of the Makefile are tested elsewhere: all install.
    assert len(found) == len(fences) - 1
    for kind in ("benchmark.toml", "rules/", "exchange/", "marts/fct_", "views/"):
        assert any(kind in example.path for example in found), kind
