"""`evalwh sql`: what goes in, what comes out, and what is refused."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from app.cli import main
from tests.shared import left_by_a_kill
from warehouse.outside_text import visible_lines
from warehouse.query import write_answer


@pytest.fixture
def evalwh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs `evalwh sql` over a database with one table."""
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(
            """
            create table scores as
            select * from (values
                ('mmlu', 0.5, 10),
                ('日本語', null, 2000),
                ('', 'nan'::double, null)
            ) as scores (benchmark_id, score, item_count)
            """
        )
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(path))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["sql", *arguments])

    return run


def test_a_table_is_aligned_and_shows_null_as_null(evalwh) -> None:
    result = evalwh("select * from scores")
    assert result.output.splitlines() == [
        "benchmark_id  score  item_count",
        "------------  -----  ----------",
        "mmlu            0.5          10",
        "日本語         null        2000",
        "                nan        null",
        "(3 rows)",
    ]
    assert result.exit_code == 0


def test_a_table_says_how_many_rows_it_does_not_show(evalwh) -> None:
    lines = evalwh("select range as i from range(2500)", "--limit", "2").output.splitlines()
    assert lines[2:4] == ["0", "1"]
    assert lines[4].startswith("(2 of 2,500 rows; 2,498 not shown:")
    assert len(lines) == 5


def test_a_table_shows_a_hundred_rows_unless_told_otherwise(evalwh) -> None:
    lines = evalwh("select range as i from range(101)").output.splitlines()
    assert lines[-1].startswith("(100 of 101 rows; 1 not shown:")
    assert len(lines) == 2 + 100 + 1


def test_a_table_keeps_long_texts_on_one_short_line(evalwh) -> None:
    result = evalwh("select 'first\nsecond' as a, repeat('日本', 100) as b")
    row = result.output.splitlines()[2]
    assert row.startswith("first\\nsecond  日本")
    assert row.endswith("…")


def test_a_table_without_rows_shows_its_columns(evalwh) -> None:
    lines = evalwh("select benchmark_id from scores where false").output.splitlines()
    assert lines == ["benchmark_id", "------------", "(0 rows)"]


def test_csv_tells_null_from_the_empty_text(evalwh) -> None:
    result = evalwh("select benchmark_id, item_count from scores", "--format", "csv")
    assert result.output == 'benchmark_id,item_count\nmmlu,10\n日本語,2000\n"",\n'


def test_csv_holds_all_rows_unless_told_otherwise(evalwh) -> None:
    result = evalwh("select * from range(2500)", "--format", "csv")
    assert len(result.stdout.splitlines()) == 2501
    result = evalwh("select * from range(2500)", "--format", "csv", "--limit", "2")
    assert result.stdout == "range\n0\n1\n"
    assert result.stderr == "there are more rows than the 2 of --limit\n"
    assert result.exit_code == 0


def test_json_and_parquet_hold_as_many_rows_as_are_asked_for(evalwh, tmp_path) -> None:
    statement = "select * from range(250000)"
    limited = evalwh(statement, "--format", "json", "--limit", "2")
    assert json.loads(limited.stdout) == [{"range": 0}, {"range": 1}]
    path = tmp_path / "rows.parquet"
    limited = evalwh(statement, "--parquet", str(path), "--limit", "120000")
    assert limited.stdout == f"120,000 rows are in {path}\n"
    assert duckdb.sql(f"select count(*), max(range) from '{path}'").fetchall() == [(120000, 119999)]


def test_a_table_does_not_count_to_the_end_of_a_million_rows(evalwh) -> None:
    lines = evalwh("from range(1000000000000)", "--limit", "1").output.splitlines()
    assert lines[-1].startswith("(1 of more than 1,000,000 rows:")


# Every example opens a database: how long that takes says nothing about the code.
@settings(deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.floats(allow_nan=False),
            st.none() | st.booleans(),
            st.none() | st.dates(),
        ),
        min_size=1,
    )
)
def test_csv_reads_back_as_the_same_rows(rows: list[tuple], tmp_path_factory) -> None:
    types = ("varchar", "bigint", "double", "boolean", "date")
    with duckdb.connect() as connection:
        connection.execute(
            "create table original ("
            + ", ".join(f"column_{i} {kind}" for i, kind in enumerate(types))
            + ")"
        )
        connection.executemany("insert into original values (?, ?, ?, ?, ?)", rows)
        written = io.BytesIO()
        write_answer(connection, "from original", "csv", None, written)
        path = tmp_path_factory.mktemp("csv") / "rows.csv"
        path.write_bytes(written.getvalue())
        columns = {f"column_{i}": kind for i, kind in enumerate(types)}
        again = connection.execute(
            "from read_csv(?, columns = ?, header = true, auto_detect = false, delim = ',',"
            " quote = '\"', escape = '\"', new_line = '\\n', allow_quoted_nulls = false)",
            [str(path), columns],
        ).fetchall()
    shown = [(text if text is None else visible_lines(text), *others) for text, *others in rows]
    assert again == shown


def test_json_is_an_array_of_rows(evalwh) -> None:
    result = evalwh("select * from scores", "--format", "json")
    assert json.loads(result.output) == [
        {"benchmark_id": "mmlu", "score": 0.5, "item_count": 10},
        {"benchmark_id": "日本語", "score": None, "item_count": 2000},
        {"benchmark_id": "", "score": "nan", "item_count": None},
    ]


def test_json_without_rows_is_an_empty_array(evalwh) -> None:
    assert json.loads(evalwh("select 1 where false", "--format", "json").output) == []


def test_json_keeps_nested_and_temporal_values(evalwh) -> None:
    statement = """
        select
            [1, null] as list,
            {'a': date '2024-12-19'} as struct,
            timestamp '2024-12-19 01:02:03' as moment,
            1.25::decimal(4, 2) as number,
            true as flag
    """
    assert json.loads(evalwh(statement, "--format", "json").output) == [
        {
            "list": [1, None],
            "struct": {"a": "2024-12-19"},
            "moment": "2024-12-19 01:02:03",
            "number": 1.25,
            "flag": True,
        }
    ]


def test_parquet_holds_all_rows_with_their_types(evalwh, tmp_path) -> None:
    path = tmp_path / "scores.parquet"
    result = evalwh("select *, [range] as ranges from scores, range(2500)", "--parquet", str(path))
    assert result.output == f"7,500 rows are in {path}\n"
    found = duckdb.sql(
        f"select count(*), count(score), typeof(any_value(ranges)) from '{path}'"
    ).fetchall()
    assert found == [(7500, 5000, "BIGINT[]")]
    assert [one.name for one in tmp_path.glob("*.parquet*")] == ["scores.parquet"]


def test_parquet_replaces_a_parquet_file_and_says_so(evalwh, tmp_path) -> None:
    path = tmp_path / "scores.parquet"
    evalwh("select 1", "--parquet", str(path))
    result = evalwh("from scores", "--parquet", str(path))
    assert result.output == f"3 rows are in {path}, in place of those that were there\n"
    assert duckdb.sql(f"select count(*) from '{path}'").fetchall() == [(3,)]


def test_what_a_kill_left_beside_a_parquet_file_is_taken_away(evalwh, tmp_path) -> None:
    path = tmp_path / "scores.parquet"
    left = left_by_a_kill(path)
    evalwh("from scores", "--parquet", str(path))
    assert path.exists()
    assert not left.exists()


@pytest.mark.parametrize(
    "kind", ["text", "empty", "warehouse", "hard link", "link", "folder", "fifo", "device"]
)
def test_parquet_replaces_nothing_else(kind: str, evalwh, tmp_path) -> None:
    path, warehouse = tmp_path / "rows.parquet", tmp_path / "warehouse.duckdb"
    match kind:
        case "text":
            path.write_text("PAR1, but no Parquet")
        case "empty":
            path.touch()
        case "warehouse":
            path = warehouse
        case "hard link":
            path.hardlink_to(warehouse)
        case "link":
            evalwh("select 1", "--parquet", str(tmp_path / "other.parquet"))
            path.symlink_to(tmp_path / "other.parquet")
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "device":
            path = Path(os.devnull)
    before = path.lstat(), warehouse.read_bytes()
    result = evalwh("from scores", "--parquet", str(path))
    assert result.exit_code != 0
    assert len(result.stderr.splitlines()[-1]) > 20
    assert "Traceback" not in result.output
    assert (path.lstat().st_ino, path.lstat().st_mtime_ns) == (
        before[0].st_ino,
        before[0].st_mtime_ns,
    )
    assert warehouse.read_bytes() == before[1]
    assert list(tmp_path.glob(".*.tmp")) == []


def test_parquet_that_fails_leaves_what_was_there(evalwh, tmp_path) -> None:
    path = tmp_path / "scores.parquet"
    evalwh("select 42 as answer", "--parquet", str(path))
    failing = "select 1 // (range - 2000)::integer, error('late') from range(3000)"
    for statement in (failing, "drop table scores"):
        assert evalwh(statement, "--parquet", str(path)).exit_code == 1
    assert duckdb.sql(f"from '{path}'").fetchall() == [(42,)]
    nowhere = evalwh("from scores", "--parquet", str(tmp_path / "no" / "scores.parquet"))
    assert nowhere.exit_code == 1
    assert nowhere.output.startswith(f"Error: {tmp_path / 'no'}")
    assert list(tmp_path.glob(".*.tmp")) == []


def test_json_refuses_two_columns_of_one_name(evalwh) -> None:
    result = evalwh("select 1 as a, 2 as a", "--format", "json")
    assert result.exit_code == 1
    assert "repeated: ['a']" in result.output


@pytest.mark.parametrize(
    "statement", ["describe scores", "show tables", "from scores", "with a as (select 1) from a"]
)
def test_statements_that_read_are_run(evalwh, statement: str) -> None:
    assert evalwh(statement).exit_code == 0


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("drop table scores", "not drop"),
        ("copy scores to 'scores.csv'", "not copy"),
        ("select 1; select 2", "not 2"),
        ("", "not 0"),
        ("select * from score", "Did you mean"),
        ("selec 1", "syntax error"),
        ("select error('halfway')", "halfway"),
    ],
)
def test_a_failed_query_is_a_message_and_exit_code_1(evalwh, statement: str, message: str) -> None:
    result = evalwh(statement)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_missing_warehouse_is_a_message_without_a_traceback(tmp_path: Path) -> None:
    result = subprocess.run(
        [Path(sys.executable).parent / "evalwh", "sql", "select 1"],
        cwd=tmp_path,
        env={**os.environ, "EVALWH_WAREHOUSE": "nothing.duckdb"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        "Error: there is no warehouse at nothing.duckdb: run `make run` or `dbt build` first\n"
    )


def test_the_built_warehouse_answers(built_warehouse: Path, monkeypatch) -> None:
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(built_warehouse))
    result = CliRunner().invoke(
        main, ["sql", "select is_success from meta.builds", "--format", "json"]
    )
    assert json.loads(result.output) == [{"is_success": True}]
