"""The commands, as they are typed."""

from __future__ import annotations

import shutil

import pytest
from aiohttp import web
from click.testing import CliRunner

from app.cli import main
from inference.asking import sessions
from inference.planning import declarations
from inference.planning.declarations import BENCHMARKS
from tests.inference.asking.stub_server import MODEL, stub_server


@pytest.fixture
def typed(tmp_path, monkeypatch, tokenizer_folder):
    """Types a command, in a folder of the test's own."""
    monkeypatch.setenv("EVALWH_SHARDS", str(tmp_path / "shards"))
    monkeypatch.setenv("EVALWH_GENERATIONS", str(tmp_path / "generations.duckdb"))
    monkeypatch.setenv("EVALWH_BENCHMARKS", str(tmp_path / "benchmarks"))
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str):
        if arguments[0] in ("plan", "run"):
            arguments += ("--model", MODEL, "--tokenizer", str(tokenizer_folder))
        return CliRunner().invoke(main, list(arguments))

    return run


@pytest.mark.slow(seconds=1)
def test_a_plan_says_what_is_needed_and_then_what_is_there(typed):
    with stub_server() as stub:
        demo = ("--items", "demo", "--benchmarks", "mmlu,gsm8k", "--endpoint", stub.url)
        plan = typed("plan", *demo)
        assert plan.exit_code == 0, plan.output
        rows = {line.split()[0]: line.split()[1:4] for line in plan.output.splitlines()[1:]}
        assert rows["mmlu"] == ["12", "12", "0"]
        assert rows["all"] == ["22", "22", "0"]
        assert not stub.calls
        assert typed("run", *demo).exit_code == 0
        rows = {
            line.split()[0]: line.split()[1:4]
            for line in typed("plan", *demo).output.splitlines()[1:]
        }
        assert rows["all"] == ["22", "22", "22"]


def test_a_plan_needs_no_server_if_it_is_told_what_one_would_say(typed):
    told = ("--context-length", "2048", "--revision", "r1")
    plan = typed("plan", "--items", "demo", "--benchmarks", "mmlu", *told)
    assert plan.exit_code == 0, plan.output
    untold = typed("plan", "--items", "demo", "--benchmarks", "mmlu")
    assert untold.exit_code == 1
    assert "without --endpoint" in untold.output


def test_a_run_ends_in_the_raw_store_and_status_tells(typed):
    assert "Nothing has been asked yet" in typed("status").output
    with stub_server() as stub:
        run = typed("run", "--items", "demo", "--benchmarks", "mmlu", "--endpoint", stub.url)
    assert run.exit_code == 0, run.output
    assert "12 requests, 0 answered before, 12 now, 0 failed" in run.output
    (line,) = typed("status").output.splitlines()[1:]
    assert line.split()[1:] == ["mmlu", "12", "12", "0", "12"]


def test_a_run_says_that_its_samples_cannot_be_repeated(typed):
    told = "departure: humaneval: The server draws samples without their seeds"
    for honours_seeds in (False, True):
        with stub_server(honours_seeds=honours_seeds) as stub:
            run = typed(
                "run", "--items", "demo", "--benchmarks", "humaneval", "--endpoint", stub.url
            )
        assert run.exit_code == 0, run.output
        assert (told in run.output) is not honours_seeds


def test_a_run_with_failures_says_so_and_exits_with_1(typed):
    def refuse(_):
        return web.Response(status=400, text="not today")

    with stub_server(answer_with=refuse) as stub:
        run = typed("run", "--items", "demo", "--benchmarks", "mmlu", "--endpoint", stub.url)
    assert run.exit_code == 1
    assert "12 requests failed" in run.output
    assert "not today" in run.output
    (line,) = typed("status").output.splitlines()[1:]
    assert line.split()[1:] == ["mmlu", "12", "0", "12", "0"]


def test_a_run_without_files_names_them_before_it_asks(typed):
    with stub_server() as stub:
        run = typed("run", "--benchmarks", "mmlu,gsm8k", "--endpoint", stub.url)
        assert not stub.calls
    assert run.exit_code == 1
    assert "run `evalwh fetch mmlu` first" in run.output
    assert "run `evalwh fetch gsm8k` first" in run.output


def test_a_run_with_a_wrong_template_asks_nothing(typed, tmp_path, monkeypatch):
    folder = tmp_path / "declared"
    for name in ("gsm8k", "mmlu"):
        shutil.copytree(BENCHMARKS / name, folder / name)
    path = folder / "mmlu" / "benchmark.toml"
    path.write_text(path.read_text("utf-8").replace("{choice_d}", "{choice_e}"), "utf-8")
    monkeypatch.setattr(declarations.read_benchmark, "__defaults__", ("reference", folder))
    with stub_server() as stub:
        run = typed("run", "--items", "demo", "--benchmarks", "gsm8k,mmlu", "--endpoint", stub.url)
        assert not stub.calls
    assert run.exit_code == 1
    assert f"{path}: prompt.item names choice_e" in run.output


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Declarations of the test's own: gsm8k, mmlu, and one that is no TOML."""
    folder = tmp_path / "declared"
    for name in ("gsm8k", "mmlu"):
        shutil.copytree(BENCHMARKS / name, folder / name)
    (folder / "damaged").mkdir()
    (folder / "damaged" / "benchmark.toml").write_text("benchmark_id = ", "utf-8")
    monkeypatch.setattr(declarations.read_benchmark, "__defaults__", ("reference", folder))
    for function in (declarations.benchmark_ids, declarations.protocols_of):
        monkeypatch.setattr(function, "__defaults__", (folder,))
    monkeypatch.setattr(sessions, "BENCHMARKS", folder)
    return folder


@pytest.mark.parametrize("items", ["demo", "real"])
def test_a_plan_names_file_and_key_of_an_unknown_field(typed, folder, items):
    path = folder / "mmlu" / "benchmark.toml"
    path.write_text(path.read_text("utf-8").replace("{choice_d}", "{choice_e}"), "utf-8")
    told = ("--context-length", "2048", "--revision", "r1")
    plan = typed("plan", "--items", items, "--benchmarks", "gsm8k,mmlu", *told)
    assert plan.exit_code == 1
    assert f"{path}: prompt.item names choice_e" in plan.output


def test_a_damaged_declaration_stops_only_those_who_name_it(typed, folder):
    path = folder / "damaged" / "benchmark.toml"
    told = ("--context-length", "2048", "--revision", "r1")
    plan = typed("plan", "--items", "demo", "--benchmarks", "gsm8k,mmlu", *told)
    assert plan.exit_code == 0, plan.output
    with stub_server() as stub:
        asked = ("--items", "demo", "--endpoint", stub.url, "--benchmarks")
        run = typed("run", *asked, "mmlu")
        assert run.exit_code == 0, run.output
        call_count = len(stub.calls)
        for names in ("damaged", "mmlu,damaged", "all"):
            run = typed("run", *asked, names)
            assert run.exit_code == 1
            assert f"{path} is not TOML" in run.output
        assert len(stub.calls) == call_count
    assert typed("fetch", "--list", "mmlu").exit_code == 0


def test_fetch_goes_on_after_a_damaged_declaration(typed, folder, tmp_path):
    fetch = typed("fetch", "--mirror", str(tmp_path / "nothing"))
    assert fetch.exit_code == 1
    assert f"{folder / 'damaged' / 'benchmark.toml'} is not TOML" in fetch.output
    for name in ("damaged", "gsm8k", "mmlu"):
        assert f"{name}: 0 files verified" in fetch.output


def test_fetch_lists_addresses_and_fetches_nothing(typed, tmp_path):
    listed = typed("fetch", "--list", "mmlu")
    assert listed.exit_code == 0, listed.output
    address = (
        "https://raw.githubusercontent.com/allenai/OLMo/59a53e3f68e546330ca5a99ec626e58f9ab96494/"
    )
    assert [address in line for line in listed.output.splitlines()] == [False, False, True, True]
    assert not (tmp_path / "benchmarks").exists()


def test_a_run_needs_a_server(typed):
    run = typed("run", "--items", "demo")
    assert run.exit_code == 2
    assert "--endpoint" in run.output
    away = typed("run", "--items", "demo", "--endpoint", "http://127.0.0.1:9")
    assert away.exit_code == 1
    assert "cannot be reached" in away.output


def test_fetch_goes_on_after_a_benchmark_that_is_missing(typed, tmp_path):
    (tmp_path / "mirror").mkdir()
    fetched = typed("fetch", "gsm8k", "niilc", "--mirror", str(tmp_path / "mirror"))
    assert fetched.exit_code == 1
    assert "gsm8k/test.jsonl" in fetched.output
    assert "niilc/NIILC-ECQA2015_test.xml" in fetched.output
