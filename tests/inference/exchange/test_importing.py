"""Samples of another harness are imported wholly, once, and keep the scores that were logged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from app.cli import main
from inference.errors import SamplesFileError
from inference.exchange import lm_eval_kept
from inference.exchange.importing import import_samples, sample_files
from inference.exchange.lm_eval_samples import open_samples, read_samples
from tests.conftest import LOGGED_ELSEWHERE
from tests.dbt_project import REPOSITORY
from warehouse.loading import load
from warehouse.raw_store import open_raw_store
from warehouse.repairing import repair
from warehouse.shard_files import shard_sets

TIME = "2026-11-23T22-06-38.045707"


def ask(path: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def the_file(task: str) -> Path:
    return LOGGED_ELSEWHERE / f"samples_{task}_{TIME}.jsonl"


def write_samples(folder: Path, *lines: object, task: str = "task", time: str = TIME) -> Path:
    path = folder / f"samples_{task}_{time}.jsonl"
    texts = [line if isinstance(line, str | bytes) else json.dumps(line) for line in lines]
    path.write_bytes(b"\n".join(text.encode() if isinstance(text, str) else text for text in texts))
    return path


def choice(**changes: object) -> dict[str, object]:
    """A document with two choices of which the second is more likely and right."""
    return {
        "doc_id": 0,
        "doc": {"question": "?"},
        "target": "1",
        "arguments": {
            "gen_args_0": {"arg_0": "Q:", "arg_1": " 1"},
            "gen_args_1": {"arg_0": "Q:", "arg_1": " 0"},
        },
        "resps": [[["-2.0", "False"]], [["-1.0", "False"]]],
        "filtered_resps": [["-2.0", "False"], ["-1.0", "False"]],
        "filter": "none",
        "metrics": ["acc"],
        "acc": 1.0,
        **changes,
    }


def completed(**changes: object) -> dict[str, object]:
    """A document with a completion that is right."""
    return {
        "doc_id": 0,
        "doc": {"question": "?"},
        "target": "1",
        "arguments": [["Q:", {"until": ["\n"]}]],
        "resps": [["1"]],
        "filtered_resps": ["1"],
        "exact_match": 1.0,
        **changes,
    }


def test_the_scores_of_the_harness_come_out(built_warehouse):
    results = json.loads((LOGGED_ELSEWHERE / f"results_{TIME}.json").read_text("utf-8"))["results"]
    expected = {
        "boxes": results["boxes"]["acc,none"],
        "capitals": results["capitals"]["exact_match,none"],
        "last_words": results["last_words"]["acc,none"],
        "rivers_and_metals": results["rivers_and_metals"]["acc,none"],
        "sums/strict-match": results["sums"]["exact_match,strict-match"],
        "sums/flexible-extract": results["sums"]["exact_match,flexible-extract"],
    }
    rows = ask(
        built_warehouse,
        "select benchmark_id, score, per_character_score, unscored_count, model_id, is_complete"
        " from marts.fct_run_scores where item_set = 'imported'",
    )
    assert {row[0]: pytest.approx(row[1]) for row in rows} == expected
    (by_character,) = (row[2] for row in rows if row[0] == "rivers_and_metals")
    assert by_character == pytest.approx(results["rivers_and_metals"]["acc_norm,none"])
    assert {row[3:] for row in rows} == {(0, "example/made-1b", False)}


def test_what_nobody_logged_is_unknown_and_not_none(built_warehouse):
    query = (
        "select benchmark_id, truncated_count from marts.fct_run_scores"
        " where item_set = 'imported' and benchmark_id in ('boxes', 'capitals') order by all"
    )
    assert ask(built_warehouse, query) == [("boxes", 0), ("capitals", None)]


def test_imported_scores_enter_no_benchmark_score(built_warehouse):
    query = "select count(*) from marts.fct_benchmark_scores where model_id = 'example/made-1b'"
    assert ask(built_warehouse, query) == [(0,)]


def test_metrics_that_are_scored_otherwise_here_are_found(built_warehouse):
    rows = ask(
        built_warehouse,
        "select item_id, metric, logged_score, score from marts.fct_logged_scores"
        " where is_different order by all",
    )
    # acc_norm and acc_mutual_info are other metrics than the one that scores choices here.
    assert rows == [("0", "acc_mutual_info", 0.0, 1.0), ("2", "acc_norm", 1.0, 0.0)]


def test_a_scorer_can_be_named_for_completions(tmp_path):
    done = import_samples(the_file("sums"), tmp_path, scorers={"sums": "gsm8k_strict"})
    assert (done.scorer, done.item_counts) == ("gsm8k_strict", {"sums": 3})
    as_logged = import_samples(the_file("sums"), tmp_path)
    assert as_logged.item_counts == {"sums/strict-match": 3, "sums/flexible-extract": 3}
    assert as_logged.run_id != done.run_id


TABLES = (
    "run_sessions",
    "run_files",
    "items",
    "prompts",
    "requests",
    "run_requests",
    "answers",
    "generations",
    "log_likelihoods",
    "failures",
    "logged_scores",
)
"""What an import adds to."""


def row_counts(shards: Path) -> dict[str, int]:
    """Rows of the raw store beside `shards`, with what they add to it."""
    load(shards, shards.parent / "generations.duckdb")
    with open_raw_store(shards.parent / "generations.duckdb", read_only=True) as connection:
        return {
            table: connection.execute(f"select count(*) from raw.{table}").fetchone()[0]
            for table in TABLES
        }


@pytest.mark.slow(seconds=1)
def test_importing_again_adds_nothing(tmp_path):
    def imported() -> dict[str, int]:
        for path in sample_files([LOGGED_ELSEWHERE]):
            import_samples(path, tmp_path / "shards")
        return row_counts(tmp_path / "shards")

    first = imported()
    assert (first["run_sessions"], first["run_files"], first["items"]) == (5, 6, 15)
    assert (first["run_requests"], first["requests"], first["answers"]) == (26, 20, 20)
    assert first["logged_scores"] == 29
    assert imported() == first


@pytest.mark.parametrize("task", ["boxes", "capitals", "rivers_and_metals", "sums"])
def test_a_copy_under_another_time_is_the_same_run_and_adds_nothing(tmp_path, task):
    (tmp_path / "copy").mkdir()
    for path in (the_file(task), LOGGED_ELSEWHERE / f"results_{TIME}.json"):
        shutil.copy(path, tmp_path / "copy" / path.name.replace("2026-11-23", "2027-01-01"))
    (copy,) = sample_files([tmp_path / "copy"])
    first = import_samples(the_file(task), tmp_path / "shards")
    before = row_counts(tmp_path / "shards")
    assert import_samples(copy, tmp_path / "shards") == first
    assert row_counts(tmp_path / "shards") == before


@pytest.mark.slow(seconds=1)
def test_every_run_has_a_session_and_every_sample_one_score_row_per_run(tmp_path):
    """However logs of one task are like one another."""
    model = {"model_id": "example/model"}
    shards = tmp_path / "shards"
    lines = [choice(doc_id=index) for index in range(3)]
    part, whole, other, again = (
        write_samples(folder, *content, time=time)
        for folder, content, time in [
            # Part of a log that was copied before it was whole.
            (tmp_path / "part", lines[:2], TIME),
            (tmp_path / "whole", lines, TIME),
            # Asked again at another time, answered otherwise.
            (tmp_path / "other", [lines[0] | {"resps": [[[-1.0]], [[-3.0]]], "acc": 0.0}], TIME),
            (tmp_path / "again", lines, "2027-01-01T00-00-00"),
        ]
        if folder.mkdir() is None
    )
    runs = [import_samples(path, shards, **model).run_id for path in (part, whole, other, again)]
    assert runs[3] == runs[1]
    assert len(set(runs)) == 3
    # The same log of another revision, or as another task's, is another run, too.
    runs.append(import_samples(whole, shards, **model, revision="abc").run_id)
    renamed = write_samples(tmp_path, *lines, task="renamed")
    runs.append(import_samples(renamed, shards, **model).run_id)
    runs.append(import_samples(whole, shards, **model, scorers={"task": "as_logged"}).run_id)
    assert len(set(runs)) == 6
    row_counts(shards)
    with open_raw_store(tmp_path / "generations.duckdb", read_only=True) as connection:
        rows = connection.execute(
            "select run_id, count(distinct session_id), count(distinct item_hash),"
            " count(distinct (item_hash, request_id)) from raw.run_sessions"
            " full join raw.run_requests using (run_id) group by run_id"
        ).fetchall()
    assert {run: counts for run, *counts in rows} == {
        run: [1, count, count] for run, count in zip(runs, (2, 3, 1, 3, 3, 3, 3), strict=True)
    }


def test_what_is_exported_can_be_imported(built_warehouse, tmp_path, monkeypatch):
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(built_warehouse))
    monkeypatch.setenv("EVALWH_GENERATIONS", str(built_warehouse.parent / "generations.duckdb"))
    query = "select distinct run_id from marts.fct_run_scores where model_id like '%SmolLM2%'"
    ((run_id,),) = ask(built_warehouse, query)
    result = CliRunner().invoke(main, ["export", run_id, str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    for path in sample_files([tmp_path / "out"]):
        import_samples(path, tmp_path / "shards")
    load(tmp_path / "shards", tmp_path / "generations.duckdb")
    with open_raw_store(built_warehouse.parent / "generations.duckdb", read_only=True) as ours:
        completions = ours.execute(
            "select completion_text, count(*) from raw.run_requests"
            " inner join raw.generations using (request_id)"
            f" where run_id = '{run_id}' and purpose = 'answer' group by all order by all"
        ).fetchall()
    with open_raw_store(tmp_path / "generations.duckdb", read_only=True) as imported:
        assert (
            completions
            == imported.execute(
                "select completion_text, count(*) from raw.run_requests"
                " inner join raw.generations using (request_id) group by all order by all"
            ).fetchall()
        )
        scorers = dict(
            imported.execute(
                "select distinct benchmark_id, scorer from raw.run_requests"
            ).fetchall()
        )
    assert scorers["mmlu"] == scorers["hellaswag"] == "most_likely_choice"
    assert scorers["gsm8k"] == "as_logged"


@pytest.mark.parametrize(
    ("target", "logged", "scorer"),
    [
        # Read as an index, 1 is the second choice, as a text the first: the accuracy tells.
        ("1", 1.0, "most_likely_choice"),
        ("0", 1.0, "most_likely_choice"),
        ("elsewhere", 1.0, "as_logged"),
    ],
)
def test_a_target_is_read_so_that_the_logged_accuracy_comes_out(tmp_path, target, logged, scorer):
    path = write_samples(tmp_path, choice(target=target, acc=logged))
    done = import_samples(path, tmp_path / "shards", model_id="example/model")
    assert done.scorer == scorer
    load(tmp_path / "shards", tmp_path / "store")
    with open_raw_store(tmp_path / "store", read_only=True) as connection:
        (gold,) = connection.execute("select gold_index from raw.items").fetchone()
    assert gold == (1 if scorer == "most_likely_choice" else None)


@pytest.mark.parametrize("bad", [{"target": "elsewhere"}, {"target": "7"}, {"acc": 0.0}])
def test_a_target_that_does_not_fit_where_others_do_is_named(tmp_path, bad):
    lines = [choice(doc_id=number, **bad if number == 2 else {}) for number in range(4)]
    path = write_samples(tmp_path, *lines)
    with pytest.raises(SamplesFileError, match=r"line 3: the target is not .* 3 of 4 lines; mend"):
        import_samples(path, tmp_path / "shards", model_id="example/model")
    done = import_samples(
        path, tmp_path / "shards", model_id="example/model", scorers={"task": "as_logged"}
    )
    assert done.scorer == "as_logged"


def test_no_mass_is_a_log_likelihood_and_no_number_is_a_failure(tmp_path):
    path = write_samples(
        tmp_path,
        choice(resps=[[["-inf", "False"]], [["-1.0", "False"]]]),
        choice(doc_id=1, resps=[[["nan", "False"]], [["-1.0", "False"]]]),
    )
    import_samples(path, tmp_path / "shards", model_id="example/model")
    load(tmp_path / "shards", tmp_path / "store")
    with open_raw_store(tmp_path / "store", read_only=True) as connection:
        values = connection.execute("select log_likelihood from raw.log_likelihoods").fetchall()
        assert sorted(values) == [(float("-inf"),), (-1.0,)]
        (error,) = connection.execute("select error from raw.failures").fetchone()
    assert error == "log-likelihoods were logged as (nan, -1.0)"


def test_early_versions_list_no_metrics_and_have_plain_arguments(tmp_path):
    sample = choice(arguments=[["Q:", " 1"], ["Q:", " 0"]], doc_hash="h")
    del sample["metrics"], sample["filter"]
    (read,) = read_samples(open_samples(write_samples(tmp_path, sample)))
    assert (read.form, read.scores, read.filter) == ("choices", {"acc": 1.0}, "none")


def test_targets_of_several_texts_are_read_back():
    first, _ = read_samples(open_samples(the_file("capitals")))
    assert first.golds == ("Tokyo", "lol")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1 is no JSON"),
        ({"doc_id": 1}, "line 1 has no 'arguments'"),
        (choice(resps=[]), "line 1 is not shaped like a logged sample: 2 arguments have 0"),
        (
            choice(arguments={"gen_args_0": {"arg_0": "Q"}}, resps=[["-1.0"]]),
            "rolling log-likelihoods",
        ),
        (
            choice(resps=[[[0.5, "False"]], [[-1.0, "False"]]]),
            "line 1 .* 0.5, which is more than 0",
        ),
        (
            choice(resps=[[[False, "False"]], [[-1.0, "False"]]]),
            "line 1 .* False, which is no number",
        ),
        (choice(doc={"question": "\ud800"}), r"line 1 has half a character \('\\ud800'\)"),
        (choice(acc=10**400), "line 1 is not shaped .* int too large"),
        (choice(doc_id=None), "line 1 .* doc_id is None, which is neither a number from 0 nor"),
        (choice(doc_id=-1), "line 1 .* doc_id is -1, which is neither a number from 0 nor"),
        (choice(doc_id=True), "line 1 .* doc_id is True, which is neither a number from 0 nor"),
        (choice(doc_id=1.0), "line 1 .* doc_id is 1.0, which is neither a number from 0 nor"),
        (choice(filter=["a"]), "line 1 .* filter is .*, which is no text"),
        (choice(arguments="Q"), "line 1 .* arguments are 'Q', which is no list"),
        ("[" * 100_000, "line 1 is no JSON"),
        (b"\xff", "line 1 is no JSON"),
        (completed(resps=["a text"]), "line 1 .* completions are 'a text', which is no list"),
        (completed(resps=[[]]), "line 1 .* completions are .*, which is no list of some"),
        (completed(resps=[[1]]), "line 1 .* completion is 1, which is no text"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, line, message):
    path = write_samples(tmp_path, line)
    with pytest.raises(SamplesFileError, match=message):
        import_samples(path, tmp_path / "shards", model_id="example/model")
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (choice(), "line 2: document 0 was there already"),
        (choice(filter="b", target="0"), "line 2: document 0 has another content"),
        (choice(filter="b", resps=[[["-3.0"]], [["-1.0"]]]), "line 2: document 0 has another"),
    ],
)
def test_lines_that_contradict_one_another_are_named(tmp_path, second, message):
    path = write_samples(tmp_path, choice(), second)
    with pytest.raises(SamplesFileError, match=message):
        import_samples(path, tmp_path / "shards", model_id="example/model")


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("[]", "results_.* is no object of JSON"),
        ("{", "results_.* is no JSON"),
        ('{"model_name": "\\ud800"}', "results_.* has half a character"),
    ],
)
def test_results_that_cannot_be_read_are_named(tmp_path, results, message):
    path = write_samples(tmp_path, choice())
    (tmp_path / f"results_{TIME}.json").write_text(results)
    with pytest.raises(SamplesFileError, match=message):
        import_samples(path, tmp_path / "shards")


@pytest.mark.parametrize(
    ("results", "model", "revision"),
    [
        ({"model_name": "a/b", "config": {"model_sha": "c"}}, "a/b", "c"),
        ({"config": {"model_args": "pretrained=a/b,dtype=float16"}}, "a/b", None),
        (
            {"config": {"model_args": {"pretrained": "a/b"}, "model_revision": "main"}},
            "a/b",
            "main",
        ),
        ({"model_name": 7, "config": [1], "versions": "x"}, None, None),
    ],
)
def test_results_of_many_versions_say_who_answered(tmp_path, results, model, revision):
    path = write_samples(tmp_path, choice())
    (tmp_path / f"results_{TIME}.json").write_text(json.dumps(results))
    file = open_samples(path)
    assert (file.model_name, file.model_revision, file.task_version) == (model, revision, "")


ARGUMENTS = {
    "pretrained": "https://planted-user:planted-password@hub/m/x?signature=planted",
    "token": "planted-token",
    "api_key": "planted-key",
    "dtype": "float16",
    "base_url": "http://planted-user:planted-password@host:1/v1",
}


@pytest.mark.parametrize(
    "arguments",
    [ARGUMENTS, ",".join(f"{name}={value}" for name, value in ARGUMENTS.items())],
    ids=["object", "as typed"],
)
def test_of_results_only_named_fields_are_kept_and_no_secret(tmp_path, arguments):
    """Whatever a harness is called with, and repeats in what it says of the task."""
    results = {
        "lm_eval_version": {"token": "planted"},
        "versions": {"task": "https://planted-user:planted-password@host/2"},
        "config": {
            "model": "local-completions",
            "model_args": arguments,
            "model_sha": "c",
            "hf_token": "planted-token",
            "header": {"Authorization": "planted"},
            "gen_kwargs": {"temperature": 0, "extra_body": {"api_key": "planted"}},
            "limit": 3,
        },
        "configs": {
            "task": {
                "task": "task",
                "dataset_path": "https://planted-user:planted-password@host/data",
                "dataset_kwargs": {"token": "planted"},
                "doc_to_text": "Q: {{question}}",
                "generation_kwargs": {"until": ["\n"], "api_key": "planted"},
                "metric_list": [{"metric": "acc", "judge_key": "planted"}],
                "metadata": {"version": 1.0, **ARGUMENTS},
                "of_a_later_version": "planted",
            }
        },
    }
    (tmp_path / f"results_{TIME}.json").write_text(json.dumps(results))
    import_samples(write_samples(tmp_path, choice()), tmp_path / "shards")
    load(tmp_path / "shards", tmp_path / "store")
    kept = []
    with open_raw_store(tmp_path / "store", read_only=True) as connection:
        kept += [str(connection.execute(f"from raw.{table}").fetchall()) for table in TABLES]
        session = connection.execute(
            "select model_id, model_revision, server_arguments, configuration from raw.run_sessions"
        ).fetchone()
    for shard in (tmp_path / "shards").rglob("*.parquet"):
        kept += [shard.name, str(duckdb.sql(f"from '{shard}'").fetchall())]
    assert [text for text in kept if "planted" in text] == []
    model, revision, invocation, configuration = session
    assert (model, revision) == ("https://hub/m/x", "c")
    assert json.loads(invocation) == {
        "limit": 3,
        "model": "local-completions",
        "model_sha": "c",
        "model_args": {
            "pretrained": "https://hub/m/x",
            "dtype": "float16",
            "base_url": "http://host:1/v1",
        },
        "gen_kwargs": {"temperature": 0},
    }
    assert json.loads(configuration) == {
        "task": "task",
        "dataset_path": "https://host/data",
        "doc_to_text": "Q: {{question}}",
        "generation_kwargs": {"until": ["\n"]},
        "metric_list": [{"metric": "acc"}],
        "metadata": {"version": 1.0},
    }


def test_nothing_that_is_secret_is_on_the_list_of_what_is_kept():
    """But what names a token of a vocabulary, or how many."""
    kept = lm_eval_kept.INVOCATION | lm_eval_kept.MODEL_ARGUMENTS | lm_eval_kept.DECODING
    kept |= lm_eval_kept.TASK | lm_eval_kept.METRIC
    words = ("key", "token", "password", "secret", "url", "auth", "header", "kwargs", "cert")
    assert {name for name in kept for word in words if word in name.replace("tokeniz", "")} == {
        *("add_bos_token", "prefix_token_id", "think_end_token"),
        *("max_new_tokens", "max_tokens"),
    }


def test_a_name_without_a_time_is_refused(tmp_path):
    path = write_samples(tmp_path, choice(), time="2026-99-99T00-00-00")
    with pytest.raises(SamplesFileError, match="no time in it"):
        open_samples(path)


def test_a_log_that_hides_the_gold_takes_it_from_no_other(tmp_path):
    """One item whose gold nobody can tell, and the same of another log that tells it."""
    for task_time, logged in (("2026-01-01T00-00-00", 0.5), ("2026-01-02T00-00-00", 1.0)):
        path = write_samples(tmp_path, choice(acc=logged), time=task_time)
        import_samples(path, tmp_path / "shards", model_id="example/model")
    load(tmp_path / "shards", tmp_path / "store")
    with open_raw_store(tmp_path / "store", read_only=True) as connection:
        rows = connection.execute(
            "select scorer, gold_index from raw.run_requests inner join raw.items using (item_hash)"
            " order by all"
        ).fetchall()
    assert rows == [("as_logged", None), ("most_likely_choice", 1)]


def test_a_request_fails_once_whatever_the_filters(tmp_path):
    silent = {"resps": [["1", None]]}
    path = write_samples(tmp_path, completed(**silent), completed(**silent, filter="other"))
    import_samples(path, tmp_path / "shards", model_id="example/model")
    load(tmp_path / "shards", tmp_path / "store")
    with open_raw_store(tmp_path / "store", read_only=True) as connection:
        assert connection.execute("select error from raw.failures").fetchall() == [
            ("no completion was logged",)
        ]
        completions = connection.execute("select completion_text from raw.generations").fetchall()
    assert completions == [("1",)]


def test_targets_that_only_look_like_lists_stay_texts(tmp_path):
    targets = ["[{[]: 1}]", "[" * 5_000, "['\\ud800']", "[1, 2]", "['a', 'b']"]
    path = write_samples(
        tmp_path, *(completed(doc_id=index, target=text) for index, text in enumerate(targets))
    )
    golds = [sample.golds for sample in read_samples(open_samples(path))]
    assert golds == [*((text,) for text in targets[:-1]), ("a", "b")]


def test_the_main_metric_is_in_every_sample(tmp_path):
    lines = [
        completed(bleu=0.5),
        completed(doc_id=1, doc={}, bleu=2.0),
        completed(doc_id=2, f1=0.1),
    ]
    import_samples(write_samples(tmp_path, *lines), tmp_path / "shards", model_id="example/model")
    load(tmp_path / "shards", tmp_path / "store")
    with open_raw_store(tmp_path / "store", read_only=True) as connection:
        rows = connection.execute(
            "select distinct metric, is_main from raw.logged_scores order by all"
        ).fetchall()
    assert rows == [("bleu", False), ("exact_match", True), ("f1", False)]


@pytest.mark.slow(seconds=1)
def test_the_command_says_what_it_brought_and_what_it_could_not(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALWH_GENERATIONS", str(tmp_path / "generations.duckdb"))
    monkeypatch.setenv("EVALWH_SHARDS", str(tmp_path / "shards"))

    def typed(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["import", *arguments])
        return result.exit_code, result.output

    write_samples(tmp_path, choice())
    code, output = typed(str(tmp_path), str(LOGGED_ELSEWHERE))
    assert code == 1
    assert "does not say which model answered" in output
    assert "rivers_and_metals: 3 items of example_made-1b-lm-eval-" in output
    assert typed(str(tmp_path), "--model", "example/model")[0] == 0
    assert typed(str(tmp_path / "missing"))[0] == 1
    assert typed(str(LOGGED_ELSEWHERE), "--scorer", "sums")[0] == 2
    code, output = typed(str(LOGGED_ELSEWHERE), "--scorer", "boxes=bleu")
    assert code == 1
    assert "'bleu' cannot score samples of the form contexts" in output
    code, output = typed(str(the_file("sums")), "--scorer", "sum=gsm8k_strict")
    assert code == 1
    assert "no task 'sum' was imported" in output
    with open_raw_store(tmp_path / "generations.duckdb", read_only=True) as connection:
        models = connection.execute(
            "select distinct model_id from raw.run_sessions order by all"
        ).fetchall()
    assert models == [("example/made-1b",), ("example/model",)]


@pytest.mark.slow(seconds=2)
def test_an_import_that_is_killed_leaves_nothing_or_all(tmp_path):
    script = """
import os, sys
from pathlib import Path
import inference.exchange.sample_shards as module
from inference.exchange.importing import import_samples

write, count = module.write_shard, int(sys.argv[3])

def killed(*arguments):
    global count
    if count == 0:
        os._exit(9)
    count -= 1
    return write(*arguments)

module.write_shard = killed
import_samples(Path(sys.argv[1]), Path(sys.argv[2]))
"""
    store = tmp_path / "generations.duckdb"
    for count in (1, 3, 5):
        command = [sys.executable, "-c", script, str(the_file("sums")), str(tmp_path / "shards")]
        killed = subprocess.run([*command, str(count)], cwd=REPOSITORY, check=False)
        assert killed.returncode == 9
        assert len(list((tmp_path / "shards").iterdir())) == 1
        assert load(tmp_path / "shards", store).shard_count == 0
        # What was half-written is gone.
        assert list((tmp_path / "shards").iterdir()) == []
    import_samples(the_file("sums"), tmp_path / "shards")
    assert load(tmp_path / "shards", store).refused == []
    assert not shard_sets(tmp_path / "shards")


def test_a_file_with_one_damaged_shard_is_loaded_as_a_whole_or_not(tmp_path):
    import_samples(the_file("sums"), tmp_path / "shards")
    (place,) = shard_sets(tmp_path / "shards")
    (answers,) = place.glob("*.answers.*")
    content = answers.read_bytes()
    os.truncate(answers, 100)
    (message,) = load(tmp_path / "shards", tmp_path / "store").damaged
    assert answers.name in message
    with open_raw_store(tmp_path / "store", read_only=True) as connection:
        for table in ("run_sessions", "items", "requests", "loaded_shards"):
            assert connection.execute(f"select count(*) from raw.{table}").fetchall() == [(0,)]
    (tmp_path / "shards" / "damaged" / place.name / answers.name).write_bytes(content)
    assert repair(tmp_path / "shards", tmp_path / "store", "again").refused == []
    with open_raw_store(tmp_path / "store", read_only=True) as connection:
        assert connection.execute("select count(*) > 0 from raw.answers").fetchall() == [(True,)]


def test_a_bad_file_stops_no_other_and_a_mistyped_option_stops_all(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALWH_GENERATIONS", str(tmp_path / "generations.duckdb"))
    monkeypatch.setenv("EVALWH_SHARDS", str(tmp_path / "shards"))

    def typed(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["import", *arguments])
        return result.exit_code, result.output

    for scorer in ("sums=gsm8k_strikt", "summs=gsm8k_strict"):
        code, output = typed(str(LOGGED_ELSEWHERE), "--scorer", scorer)
        assert (code, scorer in output) == (1, True)
        assert not (tmp_path / "shards").exists()
    half = write_samples(tmp_path, completed(), completed(doc_id=1, resps=[["\ud800"]]), task="a")
    other = write_samples(tmp_path, completed(), completed(doc={"question": "!"}), task="b")
    folder = tmp_path / f"samples_c_{TIME}.jsonl"
    folder.mkdir()
    empty = tmp_path / "empty"
    empty.mkdir()
    missing = tmp_path / "missing"
    link = tmp_path / f"samples_d_{TIME}.jsonl"
    link.symlink_to(missing)
    names = [str(path) for path in (half, other, missing, empty, folder, link, the_file("sums"))]
    code, output = typed(*names, "--model", "example/model")
    assert code == 1
    assert f"{half}, line 2 has half a character" in output
    assert f"{other}, line 2: document 0 was there already" in output
    for path in (missing, empty, folder, link):
        assert str(path) in output
    assert "sums/strict-match: 3 items" in output
    with open_raw_store(tmp_path / "generations.duckdb", read_only=True) as connection:
        runs = connection.execute("select count(distinct run_id) from raw.run_requests")
        assert runs.fetchall() == [(1,)]


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("is_gone", [False, True])
def test_what_is_forgotten_can_be_imported_again_whatever_became_of_its_shards(
    tmp_path, monkeypatch, is_gone
):
    shards, store = tmp_path / "shards", tmp_path / "generations.duckdb"
    monkeypatch.setenv("EVALWH_GENERATIONS", str(store))
    monkeypatch.setenv("EVALWH_SHARDS", str(shards))
    run = import_samples(the_file("sums"), shards).run_id
    other = import_samples(the_file("boxes"), shards).run_id
    before = row_counts(shards)
    ours, others = (
        next((shards / "loaded").glob(f"lm-eval-{name[-16:]}.*.answers.*")) for name in (run, other)
    )
    os.truncate(others, 100)
    if is_gone:
        ours.unlink()
    else:
        os.truncate(ours, 100)
    forgotten = CliRunner().invoke(main, ["forget", "--yes", run])
    assert forgotten.exit_code == 0, forgotten.output
    assert (ours.name in forgotten.output) == (shards / "damaged" / ours.name).exists() != is_gone
    # Another run's is not touched.
    assert others.exists()
    assert CliRunner().invoke(main, ["import", str(the_file("sums"))]).exit_code == 0
    assert row_counts(shards) == before


@pytest.mark.parametrize("name", [f"samples_sums_{TIME}.jsonl", f"results_{TIME}.json"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    if name.startswith("results"):
        write_samples(tmp_path, choice(), task="sums")
    os.mkfifo(tmp_path / name)
    places = {
        "EVALWH_SHARDS": str(tmp_path / "shards"),
        "EVALWH_GENERATIONS": str(tmp_path / "generations.duckdb"),
    }
    command = [str(Path(sys.executable).parent / "evalwh"), "import", str(tmp_path)]
    done = subprocess.run(
        [*command, "--model", "m"],
        cwd=REPOSITORY,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"{tmp_path / name} is no regular file" in done.stderr


@pytest.mark.parametrize("day", ["1901-01-01", "1969-12-31", "2100-01-02", "9999-12-31"])
def test_a_name_with_a_time_that_no_record_may_have_is_refused(tmp_path, day):
    path = write_samples(tmp_path, choice(), time=f"{day}T00-00-00")
    with pytest.raises(SamplesFileError, match=f"{path.name} .* from 1970-01-01 to 2100-01-01"):
        import_samples(path, tmp_path / "shards", model_id="example/model")
    assert not (tmp_path / "shards").exists()
