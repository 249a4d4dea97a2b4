"""Names that try to be more than names are shown as names, by every command and page."""

from __future__ import annotations

import csv
import io
import json
import shutil
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

import app.report
from app.cli import main
from app.commands import Commands
from app.wording import as_markdown
from inference.asking.progress import RunProgress
from tests.app.conftest import VIEWS
from tests.app.hostile_text import ACTING, hostile_name, plant
from tests.dbt_project import REPOSITORY
from warehouse.errors import QueryError
from warehouse.outside_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamlit.testing.v1 import AppTest

NAME = hostile_name("http://127.0.0.1:9")


@pytest.fixture(scope="module")
def hostile_warehouse(built_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the warehouse in which every name is hostile."""
    path = tmp_path_factory.mktemp("hostile") / "warehouse.duckdb"
    shutil.copy(built_warehouse, path)
    plant(path, NAME)
    return path


@pytest.fixture
def typed(hostile_warehouse: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(hostile_warehouse))
    monkeypatch.setenv("EVALWH_GENERATIONS", str(hostile_warehouse.parent / "generations.duckdb"))
    monkeypatch.setenv("EVALWH_SHARDS", str(hostile_warehouse.parent / "shards"))
    return lambda *arguments: CliRunner().invoke(main, [*arguments])


def acting(text: str) -> set[str]:
    return {character for character in ACTING if character in text}


def test_sql_shows_names_as_text(typed) -> None:
    statement = 'select distinct model_id, model_name as "\x1b[31m" from marts.dim_models limit 3'
    for output in ("table", "csv"):
        result = typed("sql", statement, "--format", output)
        assert result.exit_code == 0, result.output
        assert acting(result.output) == set()
        assert "\\x1b[31m" in result.output
        assert "日本" in result.output
    rows = list(csv.reader(io.StringIO(result.output)))
    assert len(rows) == 4
    assert all(cell.endswith(visible(NAME)) for row in rows[1:] for cell in row)


def test_json_and_parquet_keep_every_character(typed, tmp_path) -> None:
    statement = "select model_name from marts.dim_models limit 1"
    result = typed("sql", statement, "--format", "json")
    assert acting(result.output) == set()
    assert json.loads(result.output)[0]["model_name"].endswith(NAME)
    typed("sql", statement, "--parquet", str(tmp_path / "rows.parquet"))
    again = typed(
        "sql",
        f"from '{tmp_path}/rows.parquet'",
        *("--allow-files", str(tmp_path), "--format", "json"),
    )
    assert json.loads(again.output) == json.loads(result.output)


def test_errors_show_names_as_text(typed) -> None:
    result = typed("sql", f"select error($${NAME}$$)")
    assert result.exit_code == 1
    assert acting(result.output) == set()
    assert "\\x1b[31m" in result.output


def test_every_error_of_a_command_is_shown_as_text() -> None:
    group = Commands("group")

    @group.command()
    def fails() -> None:
        raise click.ClickException(NAME)

    @group.command()
    @click.argument("number", type=int)
    def counts(number: int) -> None:
        raise click.UsageError(f"{number} {NAME}")

    for arguments in (["fails"], ["counts", NAME], ["counts", "1"], [NAME]):
        result = CliRunner().invoke(group, arguments)
        assert result.exit_code == 1 + (arguments != ["fails"])
        assert acting(result.output) == set()
        assert "Error: " in result.output


def test_all_commands_print_through_the_one_function() -> None:
    """What others print with `click.echo` belongs into `app.commands.echo`."""
    sources = {
        path.name: path.read_text(encoding="utf-8") for path in (REPOSITORY / "app").glob("*.py")
    }
    counts = {name: source.count("click.echo(") for name, source in sources.items()}
    # The other one prints the answer of a query, which is made visible where it is written.
    assert {name: count for name, count in counts.items() if count} == {
        "commands.py": 1,
        "cli.py": 1,
    }


def test_the_report_shows_names_as_text(typed) -> None:
    result = typed("report")
    assert result.exit_code == 0, result.output
    assert acting(result.output) == set()
    assert "[bold]b[/bold]" in result.output


def test_the_report_on_a_terminal_lets_through_only_its_own_codes(
    typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = io.StringIO()
    monkeypatch.setattr(
        app.report, "Console", lambda **_: Console(file=out, force_terminal=True, width=5000)
    )
    assert typed("report").exit_code == 0
    shown = out.getvalue()
    assert "\x1b]" not in shown
    assert "\x1b[31m" not in shown
    assert acting(shown) == {"\x1b"}


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_shows_names_as_text(is_terminal) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=2000)
    with RunProgress(console) as progress:
        progress.begin(NAME, 1, 0)
        progress.add(NAME, [])
        progress.end(NAME)
    assert "[bold]b[/bold]" in out.getvalue()
    assert acting(out.getvalue()) - {"\x1b"} == set()
    assert "\x1b[31m" not in out.getvalue()


def test_import_and_status_show_names_as_text(typed, tmp_path) -> None:
    task = "日本\x1b[31m\u202e[bold]b[red]"
    line = {
        "doc_id": 0,
        "doc": {"question": NAME},
        "target": NAME,
        "arguments": [[NAME, {"until": ["\n"]}]],
        "resps": [[NAME]],
        "filtered_resps": [NAME],
        "exact_match": 1.0,
    }
    path = tmp_path / f"samples_{task}_2026-01-01T00-00-00.000000.jsonl"
    path.write_text(json.dumps(line))
    for arguments in (
        ("import", str(path), "--model", f"a/{NAME}"),
        ("status",),
        ("load", str(tmp_path / "\x1b[31m")),
        ("import", str(tmp_path / "\x1b[31m.jsonl")),
        ("export", "\x1b[31m", str(tmp_path / "out")),
        ("fetch", "\x1b[31m"),
        ("plan", "--model", NAME, "--benchmarks", NAME),
        ("doctor",),
    ):
        result = typed(*arguments)
        assert acting(result.output) == set(), arguments
        assert result.exception is None or isinstance(result.exception, SystemExit), arguments
    shown = typed("status").output.replace("\n", "").replace(" ", "")
    # rich would have taken it for a colour.
    assert "b[red]" in shown


def texts(page: AppTest) -> Iterator[str]:
    """Everything that is shown as text, but for charts."""
    for kind in ("title", "subheader", "markdown", "caption", "info", "warning", "text"):
        yield from (element.value for element in page.get(kind))
    for kind in ("selectbox", "multiselect"):
        for box in page.get(kind):
            yield from (box.label, *box.options)
    for metric in page.metric:
        yield from (metric.label, metric.value, metric.delta)
    for frame in page.dataframe:
        shown = frame.value[[c for c in frame.value.columns if not str(c).endswith("_id")]]
        yield from (str(value) for value in shown.to_numpy().ravel())


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_shows_names_as_text(view, open_app, hostile_warehouse, monkeypatch) -> None:
    page = open_app(view)
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(hostile_warehouse))
    page.run()
    assert not page.exception
    shown = list(texts(page))
    assert acting("".join(shown)) == set()
    assert any("\\x1b[31m" in text for text in shown)


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("Llama 3.1-8B (chat)", "Llama 3.1-8B (chat)"),
        ("llm_jp *13B* [v2]", r"llm\_jp \*13B\* \[v2\]"),
        ("see https://a.example", "`see https://a.example`"),
        ("`a` ``b``", "``` `a` ``b`` ```"),
        (":red[a]", "`:red[a]`"),
        ("a\nb\x1b", r"a\\nb\\x1b"),
    ],
)
def test_markdown_of_a_text_shows_the_text(text, markdown) -> None:
    assert as_markdown(text) == markdown


def test_an_error_of_the_warehouse_is_a_message() -> None:
    from app.commands import errors_as_messages

    with pytest.raises(click.ClickException, match="as it is"), errors_as_messages():
        raise QueryError("as it is")
