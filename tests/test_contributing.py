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

SAID = "那覇市"

ASKED = "--model example/model --endpoint http://127.0.0.1:30000"
"""The server of the text, in whose place the stub is asked."""


class Example(NamedTuple):
    """A block of the text that goes into a file, or a list of commands."""

    path: str
    """Empty for commands."""
    place: str
    """Where in the file: empty for a new one, otherwise `at its end` or a line it goes next to."""
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
    side, _, line = example.place.partition(" `")
    line = line.removesuffix("`") + "\n"
    assert text.count(line) == 1, f"{example.path} has no line {line!r}, or several"
    both = {"above": example.block + line, "below": line + example.block}
    path.write_text(text.replace(line, both[side]), encoding="utf-8")


class Followed(NamedTuple):
    """The copy of the project after everything in the text was done."""

    project: Path
    said: dict[str, str]
    """By command: what it printed."""

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.project / "data" / "warehouse.duckdb")) as connection:
            return connection.execute(query).fetchall()


def answer_with(call: dict[str, Any]) -> web.Response:
    return web.json_response([generated(SAID, 20, 3) for _ in call["input_ids"]])


@pytest.fixture(scope="module")
def followed(
    built_warehouse: Path, tokenizer_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Followed:
    project = copy_project(tmp_path_factory.mktemp("contributing") / "project")
    ignored = shutil.ignore_patterns("__pycache__", "target", "logs")
    for name in ("app", "inference", "tests"):
        shutil.copytree(REPOSITORY / name, project / name, ignore=ignored, dirs_exist_ok=True)
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CITATION.cff"):
        shutil.copy(REPOSITORY / name, project)
    for name in ("LICENSE", "Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, project)
    data = project / "data"
    data.mkdir()
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(built_warehouse.parent / name, data)
    for example in examples():
        if example.path:
            write(example, project)
    commands = [example.block for example in examples() if not example.path]
    environment = {
        **os.environ,
        **dbt_environment(data),
        "DBT_PROFILES_DIR": "warehouse",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "EVALWH_SHARDS": str(data / "shards"),
        # The installed commands then run the copy.
        "PYTHONPATH": str(project),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    said = {}
    with stub_server(answer_with=answer_with) as stub:
        for command in commands:
            here = f"--model {MODEL} --endpoint {stub.url} --tokenizer {tokenizer_folder}"
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command.replace(ASKED, here)],
                cwd=project,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, command + done.stdout[-6000:] + done.stderr[-6000:]
            said[command] = done.stdout
    return Followed(project, said)


@pytest.fixture(scope="module")
def printed(followed: Followed) -> str:
    """All that the commands of the text printed."""
    return "\n".join(followed.said.values())


def test_a_benchmark_is_asked_with_its_prompts(followed: Followed) -> None:
    prompts = followed.rows(
        "select prompt_text, completion_text from marts.fct_sample_texts"
        " where benchmark_id = 'capitals' order by item_id"
    )
    assert len(prompts) == 3
    examples_seen = set()
    for (prompt, completion), prefecture in zip(
        prompts, ("沖縄県", "福岡県", "愛知県"), strict=True
    ):
        shot, question = prompt.split("\n\n")
        examples_seen.add(shot)
        assert question == f"問題：{prefecture}の県庁所在地はどこですか？\n答え："
        assert completion == SAID
    (shot,) = examples_seen
    assert shot.removeprefix("問題：")[:3] in ("宮城県", "石川県")
    assert shot.endswith(("仙台市", "金沢市"))


def test_a_scorer_scores_one_item_in_three(followed: Followed) -> None:
    assert followed.rows(
        "select item_id, score, scorer_id, scorer_version from marts.fct_item_scores"
        " where benchmark_id = 'capitals' order by item_id"
    ) == [
        ("0", 1, "begins_with_gold", 1),
        ("1", 0, "begins_with_gold", 1),
        ("2", 0, "begins_with_gold", 1),
    ]


def test_a_format_brings_in_what_was_logged(followed: Followed) -> None:
    with duckdb.connect(str(followed.project / "data" / "generations.duckdb")) as connection:
        logged = connection.execute(
            """
            select prompts.prompt_text, generations.completion_text, logged.logged_score
            from raw.logged_scores as logged
            inner join raw.requests as requests using (request_id)
            inner join raw.prompts as prompts using (prompt_id)
            inner join raw.generations as generations using (request_id)
            inner join raw.run_requests as asked using (request_id)
            where asked.benchmark_id = 'rivers' order by all"""
        ).fetchall()
    assert logged == [
        ("日本で最も広い湖は？", "霞ヶ浦", 0),
        ("日本で最も長い川は？", "信濃川", 1),
    ]


def test_a_table_has_a_row_for_each_subset(followed: Followed, printed: str) -> None:
    rows = followed.rows(
        "select subset, score, scored_count, unscored_count, ci_low < score, score < ci_high"
        " from marts.fct_subset_scores where benchmark_id = 'capitals' order by subset"
    )
    assert [row[:4] for row in rows] == [("中部", 0, 1, 0), ("九州", 0.5, 2, 0)]
    assert rows[1][4:] == (True, True)
    assert "九州" in printed


@pytest.fixture(scope="module")
def added_faults() -> list[Fault]:
    (block,) = (e.block for e in examples() if e.path == "tests/warehouse/faults.csv")
    return [Fault(*line.split(",")) for line in block.splitlines()]


def test_every_rule_of_the_table_has_a_fault_that_it_catches(
    followed: Followed, added_faults: list[Fault], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("warehouse.duckdb", "generations.duckdb"):
        shutil.copy(followed.project / "data" / name, tmp_path)
    # Where the keys of tables are read from.
    monkeypatch.setattr("tests.warehouse.faults.HERE", followed.project / "tests" / "warehouse")
    damaged = DamagedWarehouse(tmp_path, followed.project / "data" / "target" / "manifest.json")
    catches = [damaged.caught(fault) for fault in added_faults]
    damaged.close()
    assert [catch and catch.test for catch in catches] == ["rules_of_fct_subset_scores"] * 2


def test_the_page_opens(printed: str) -> None:
    # The commands of the text run the page's own test, and the test of the documentation.
    assert re.search(r"^\d+ passed", printed, re.MULTILINE)


def test_every_example_is_written_or_run() -> None:
    found = examples()
    fences = re.findall(r"^```(\w+)$", TEXT, re.MULTILINE)
    # The verbs of the Makefile are tested elsewhere: all install.
    assert len(found) == len(fences) - 1
    for kind in ("benchmark.toml", "rules/", "exchange/", "marts/fct_", "views/"):
        assert any(kind in example.path for example in found), kind
