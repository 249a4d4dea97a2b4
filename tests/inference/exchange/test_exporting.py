"""Exported samples hold what was asked, answered and scored."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import duckdb
import pytest
from click.testing import CliRunner

from app.cli import main
from inference.exchange.exporting import export_samples
from tests.conftest import LOGGED_ELSEWHERE
from tests.shared import left_by_a_kill
from warehouse.errors import QueryError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def typed(built_warehouse: Path, monkeypatch):
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(built_warehouse))
    monkeypatch.setenv("EVALWH_GENERATIONS", str(built_warehouse.parent / "generations.duckdb"))
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def ask(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_every_item_of_a_run_is_a_line(typed, built_warehouse, tmp_path):
    ((run_id,),) = ask(
        built_warehouse,
        "select distinct run_id from marts.fct_run_scores where model_id like '%SmolLM2%'",
    )
    result = typed("export", run_id, str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    expected = ask(
        built_warehouse,
        "select benchmark_id, item_count + unscored_count, score, standard_error_method"
        f" from marts.fct_run_scores where run_id = '{run_id}' order by all",
    )
    assert len(expected) == 20
    for benchmark_id, count, score, method in expected:
        (path,) = (tmp_path / "out").glob(f"samples_{benchmark_id}_2*.jsonl")
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert len(lines) == count
        values = [list(line.values())[-1] for line in lines]
        if method == "clustered":
            assert sum(values) / len(values) == pytest.approx(score)
        for line in lines:
            assert len(line["arguments"]) == len(line["resps"]) > 0


def test_generations_and_choices_have_the_shape_of_the_harness(typed, built_warehouse, tmp_path):
    ((run_id,),) = ask(
        built_warehouse,
        "select distinct run_id from marts.fct_run_scores where model_id like '%SmolLM2%'",
    )
    typed("export", run_id, str(tmp_path))

    def first(benchmark_id: str) -> dict:
        (path,) = tmp_path.glob(f"samples_{benchmark_id}_2*.jsonl")
        sample = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
        sample["arguments"] = [list(one.values()) for one in sample["arguments"].values()]
        return sample

    gsm8k, mmlu, xwino, humaneval = map(first, ("gsm8k", "mmlu", "xwino_en", "humaneval"))
    (prompt, options), (response,) = gsm8k["arguments"][0], gsm8k["resps"][0]
    assert prompt.endswith("Answer:")
    assert options["until"] == ["Question:", "</s>", "<|im_end|>"]
    assert isinstance(response, str)
    assert [continuation for _, continuation in mmlu["arguments"]] == [" A", " B", " C", " D"]
    assert all(float(log_likelihood) <= 0 for ((log_likelihood, _),) in mmlu["resps"])
    assert len({context for context, _ in xwino["arguments"]}) == 2
    assert len(humaneval["resps"][0]) == 10


@pytest.mark.parametrize("task", ["sums", "rivers_and_metals"])
def test_an_imported_run_is_exported_as_it_was_logged(typed, built_warehouse, tmp_path, task):
    ((run_id,),) = ask(
        built_warehouse,
        "select distinct run_id from marts.fct_run_scores"
        f" where item_set = 'imported' and benchmark_id like '{task}%'",
    )
    result = typed("export", run_id, str(tmp_path))
    assert result.exit_code == 0, result.output
    (logged,) = LOGGED_ELSEWHERE.glob(f"samples_{task}_*.jsonl")
    expected = [
        {key: sample[key] for key in ("doc_id", "doc", "target")} | {"asked": asked(sample)}
        for sample in map(json.loads, logged.read_text(encoding="utf-8").splitlines())
    ]
    for path in tmp_path.glob("samples_*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            sample = json.loads(line)
            keys = ("doc_id", "doc", "target")
            assert {key: sample[key] for key in keys} | {"asked": asked(sample)} in expected


def asked(sample: dict) -> list:
    """Contexts and what came after them, but for choices without a question, and the mark of it."""
    arguments = [list(argument.values()) for argument in sample["arguments"].values()]
    responses = [
        [str(response[0][0])] if isinstance(response[0], list) else response
        for response in sample["resps"]
    ]
    if len(arguments) == 1:
        return [arguments, responses]
    return [
        (argument, response)
        for argument, response in zip(arguments, responses, strict=True)
        if argument[0]
    ]


def test_no_name_of_a_benchmark_leads_out_of_the_folder(
    typed, built_warehouse, tmp_path, monkeypatch
):
    shutil.copy(built_warehouse, tmp_path / "warehouse.duckdb")
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(tmp_path / "warehouse.duckdb"))
    names = {
        "gsm8k": "../../../gsm8k",
        "mgsm_ja": "..",
        "niilc": "a/b",
        "jemhopqa": "a_b",
        "squad2": "x" * 300,
        "triviaqa": "日本" * 100,
        "xwino_en": "\x1b[31m\n\u202e",
        "openbookqa": "a\0b\\c:*?",
    }
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        ((run_id,),) = connection.execute(
            "select distinct run_id from marts.fct_run_scores where model_id like '%SmolLM2%'"
        ).fetchall()
        for kind, name in (("table", "fct_run_scores"), ("view", "fct_item_scores")):
            connection.execute(f"create table marts.changed as from marts.{name}")
            for usual, hostile in names.items():
                connection.execute(
                    "update marts.changed set benchmark_id = ? where benchmark_id = ?",
                    [hostile, usual],
                )
            connection.execute(f"drop {kind} marts.{name}")
            connection.execute(f"alter table marts.changed rename to {name}")
    folder = tmp_path / "deep" / "deeper" / "out"
    result = typed("export", run_id, str(folder))
    assert result.exit_code == 0, result.output
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent for path in written} == {tmp_path, folder}
    assert [path.name for path in written if path.parent == tmp_path] == ["warehouse.duckdb"]
    samples = list(folder.glob("samples_*.jsonl"))
    assert len(samples) == 20
    assert all(path.name.isprintable() and path.stat().st_size for path in samples)


def test_an_unknown_run_is_a_message_with_those_there_are(typed, tmp_path):
    result = typed("export", "nobody", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "there is no run 'nobody'; there are: HuggingFaceTB_SmolLM2" in result.output
    assert not (tmp_path / "out").exists()


def test_a_warehouse_without_a_table_is_named_as_such(tmp_path, monkeypatch):
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        connection.execute("create schema marts; create table marts.fct_run_scores (run_id text)")
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("EVALWH_GENERATIONS", str(tmp_path / "generations.duckdb"))
    result = CliRunner().invoke(main, ["export", "some run", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "the warehouse has not what an export needs (Catalog Error: Table" in result.output
    assert "run `dbt build`, without a selection" in result.output
    assert not (tmp_path / "out").exists()


def test_a_damaged_block_is_said_to_be_unreadable(tmp_path):
    class Damaged:
        def execute(self, *_):
            raise duckdb.IOException("Corrupt database file: computed checksum 1\n\nand more")

    with pytest.raises(
        QueryError, match=r"cannot be read \(Corrupt .* checksum 1\): `evalwh check`"
    ):
        export_samples(Damaged(), "some run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_killed_export_left_is_taken_away(typed, built_warehouse, tmp_path):
    left = left_by_a_kill(tmp_path / "samples_mmlu.jsonl")
    ((run_id,),) = ask(built_warehouse, "select min(run_id) from marts.fct_run_scores")
    assert typed("export", run_id, str(tmp_path)).exit_code == 0
    assert not left.exists()
