"""The door: what a statement of anybody can do, and what it cannot."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import psutil
import pyarrow as pa
import pytest

from tests.dbt_project import REPOSITORY
from tests.trap import listening
from tests.warehouse import hostile_statements
from warehouse.door import Limits, asked, read, write_parquet
from warehouse.errors import QueryError, WarehouseMissingError
from warehouse.landlock import forbid_writing

if TYPE_CHECKING:
    from collections.abc import Iterator

EVALWH = Path(sys.executable).parent / "evalwh"
SECRET = "what-only-its-owner-may-read"
LIMITS = Limits(seconds=1, memory="300MB", spill="100MB", thread_count=2)
PATIENCE_SECONDS = 4
"""What a machine with other work may add to a time limit."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a warehouse, a raw store and a secret, in which the process works."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("generations", "other"):
        with duckdb.connect(folder / f"{name}.duckdb") as connection:
            connection.execute("create schema raw")
            connection.execute(f"create table raw.answers as select '{SECRET}' as answer")
    with duckdb.connect(folder / "warehouse.duckdb") as connection:
        connection.execute("create schema marts")
        connection.execute("create table marts.dim_models as select 'a/model' as model_id")
        connection.execute(f"attach '{folder}/generations.duckdb' as generations (read_only)")
        connection.execute("create view marts.answers as from generations.raw.answers")
    for name in ("secret.txt", "secret.csv"):
        (folder / name).write_text(f"a,b\n{SECRET},2\n")
    (tmp_path / "spill").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spill"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spill"))
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(folder / "warehouse.duckdb"))
    monkeypatch.setenv("EVALWH_GENERATIONS", str(folder / "generations.duckdb"))
    monkeypatch.setenv("API_TOKEN", SECRET)
    # One with "." in it would find libraries in the folder.
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def hits() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and the paths that it was asked for."""
    with listening() as trap:
        yield trap


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def outcome(statement: str, limits: Limits) -> str:
    """What a statement comes to, as text, within its time."""
    began = time.monotonic()
    try:
        said = f"rows: {read(statement, limits).slice(0, 9).to_pylist()}"
    except QueryError as error:
        said = f"refused: {error}"
    took = time.monotonic() - began
    assert took < limits.seconds + PATIENCE_SECONDS, f"{statement[:80]!r} took {took} s"
    return said


@pytest.fixture
def unharmed(folder: Path) -> Iterator[None]:
    """After the test no file is changed, new or left, no process is left, and the door answers."""
    before = digests(folder)
    # What other tests left at work is theirs.
    children = set(psutil.Process().children(recursive=True))
    yield
    assert digests(folder) == before
    assert list((folder.parent / "spill").iterdir()) == []
    assert set(psutil.Process().children(recursive=True)) <= children
    with asked("select 1 as one", "csv") as answer:
        assert b"".join(answer.pieces()) == b"one\n1\n"
        assert answer.outcome()["row_count"] == 1


def table(name: str) -> tuple[str, ...]:
    statements: tuple[str, ...] = getattr(hostile_statements, name)
    return statements


def test_there_are_at_least_a_hundred_statements_and_bombs() -> None:
    names = ("WRITING", "READING", "REACHING", "SETTING", "HARMLESS", "BOMBS")
    statements = [statement for name in names for statement in table(name)]
    assert len(set(statements)) == len(statements) > 100


@pytest.mark.slow(seconds=45)
@pytest.mark.parametrize("name", ["WRITING", "READING", "REACHING", "SETTING", "HARMLESS"])
@pytest.mark.usefixtures("unharmed")
def test_no_statement_writes_reads_a_file_or_reaches_a_network(name, folder, hits) -> None:
    url, asked = hits
    rows_of_python = [SECRET]
    table_of_python = pa.table({"a": rows_of_python})
    statements = [
        statement.replace("{folder}", str(folder)).replace("{url}", url)
        for statement in table(name)
    ]
    with ThreadPoolExecutor(2) as workers:
        limits = Limits(seconds=20, memory="300MB")
        said = dict(
            zip(statements, workers.map(lambda s: outcome(s, limits), statements), strict=True)
        )
    assert asked == []
    assert table_of_python.num_rows == 1
    for statement, words in said.items():
        assert SECRET not in words, statement
        if name in ("READING", "REACHING", "SETTING"):
            assert words.startswith("refused: "), statement
        elif name == "HARMLESS":
            assert not words.startswith("refused: INTERNAL"), statement
        assert "Traceback" not in words


@pytest.mark.slow(seconds=45)
@pytest.mark.parametrize("kind", ["bombs", "long"])
@pytest.mark.usefixtures("unharmed")
def test_no_statement_outlives_its_limits(kind) -> None:
    statements = (
        list(table("BOMBS"))
        if kind == "bombs"
        else list(hostile_statements.long_statements().values())
    )
    with ThreadPoolExecutor(4) as workers:
        said = list(workers.map(lambda statement: outcome(statement, LIMITS), statements))
    refusals = [words.partition(": ")[2] for words in said if words.startswith("refused")]
    assert len(refusals) > len(said) / 2
    for words in refusals:
        assert 10 < len(words.partition("\n")[0]) < 500, words


def test_views_over_the_raw_store_can_be_read(folder) -> None:
    assert read("select count(*) as n from marts.answers").to_pylist() == [{"n": 1}]


def test_a_raw_store_that_cannot_be_attached_leaves_the_rest_readable(folder) -> None:
    (folder / "generations.duckdb").write_text("no database")
    assert read("from marts.dim_models").to_pylist() == [{"model_id": "a/model"}]
    result = evalwh("from marts.dim_models")
    assert result.returncode == 0
    assert result.stderr.startswith("without the raw store: ")


def evalwh(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [EVALWH, "sql", *arguments], capture_output=True, text=True, check=False, **options
    )


@pytest.mark.slow(seconds=1)
def test_files_are_read_where_they_are_allowed(folder) -> None:
    statement = f"select a from read_csv('{folder}/secret.csv')"
    assert evalwh(statement).returncode == 1
    for allowed in (folder / "secret.csv", folder):
        result = evalwh(statement, "--format", "csv", "--allow-files", str(allowed))
        assert result.stdout == f"a\n{SECRET}\n"
    refused = evalwh(statement, "--allow-files", str(folder / "secret.txt"))
    assert refused.returncode == 1
    assert "--allow-files" in refused.stderr
    assert SECRET not in refused.stdout + refused.stderr


@pytest.mark.slow(seconds=2)
def test_what_is_allowed_leads_to_nothing_else(folder) -> None:
    (folder / "open").mkdir()
    (folder / "open" / "rows.csv").write_text("a\n1\n")
    (folder / "open" / "link.csv").symlink_to(folder / "secret.csv")
    for name, is_allowed in (
        ("open/rows.csv", True),
        (f"{folder}/open/rows.csv", True),
        ("open/link.csv", False),
        ("open/../secret.csv", False),
        (f"{folder}/open/../secret.csv", False),
        ("open/*.csv", False),
        ("opening.csv", False),
    ):
        result = evalwh(f"from read_csv('{name}')", "--allow-files", "open")
        assert (result.returncode == 0) == is_allowed, name
        assert SECRET not in result.stdout + result.stderr


@pytest.mark.slow(seconds=2)
def test_no_answer_takes_the_place_of_a_shard(folder, monkeypatch) -> None:
    (shard,) = list((REPOSITORY / "warehouse" / "demo").glob("*.files.*"))[:1]
    for name in ("shards/loaded", "elsewhere", "other"):
        (folder / name).mkdir(parents=True)
    kept = Path(shutil.copy(shard, folder / "shards" / "loaded"))
    away = Path(shutil.copy(shard, folder / "elsewhere"))
    (folder / "link").symlink_to(folder / "shards")
    monkeypatch.setenv("EVALWH_SHARDS", "shards")
    for place in (
        kept,
        away,
        Path("link/loaded", kept.name),
        Path("shards/../shards/rows.parquet"),
        Path("other", kept.name),
    ):
        refused = evalwh("select 1", "--parquet", str(place))
        assert refused.returncode == 1, place
        assert f"{place} is a place of shards" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    assert kept.read_bytes() == away.read_bytes() == shard.read_bytes()
    assert [path.name for path in (folder / "shards").iterdir()] == ["loaded"]
    assert not list((folder / "other").iterdir())
    for place in ("rows.parquet", "shards-2.parquet", "elsewhere/rows.parquet"):
        assert evalwh("select 1", "--parquet", place).returncode == 0, place


@pytest.mark.slow(seconds=1)
def test_allowed_files_cannot_be_written(folder) -> None:
    if not landlock_is_here():
        pytest.skip("this system has no Landlock")
    before = digests(folder)
    for statement in (
        f"copy (select 1) to '{folder}/secret.txt'",
        f"from query('from enable_' || 'profiling(save_location = ''{folder}/secret.txt'')')",
        f"from query('from enable_' || 'profiling(save_location = ''{folder}/new.txt'')')",
        f"from query('from enable_' || 'logging(storage=''file'', storage_path=''{folder}/l'')')",
    ):
        evalwh(statement, "--allow-files", str(folder))
    assert digests(folder) == before


def landlock_is_here() -> bool:
    probe = (
        "import sys; from pathlib import Path; from warehouse.landlock import forbid_writing;"
        " sys.exit(not forbid_writing(but_in=Path(sys.argv[1])))"
    )
    return subprocess.run([sys.executable, "-c", probe, "/"], check=False).returncode == 0


@pytest.mark.slow(seconds=3)
def test_a_limit_is_named_by_the_error_and_can_be_raised(folder) -> None:
    with pytest.raises(QueryError, match="time limit of 1 s; --timeout"):
        read("select count(*) from range(1000000000000)", Limits(seconds=1))
    sorting = "select count(*) from (select hash(range) as h from range(9000000) order by h)"
    with pytest.raises(QueryError, match=r"memory \(40MB\).*fit \(10MB\)"):
        read(sorting, Limits(memory="40MB", spill="10MB", thread_count=1))
    spilt = read(sorting, Limits(seconds=0, memory="40MB", spill="2GB", thread_count=1))
    assert spilt.to_pylist() == [{"count_star()": 9_000_000}]
    with pytest.raises(QueryError, match="'lots' is no size"):
        read("select 1", Limits(memory="lots"))


@pytest.mark.slow(seconds=1)
def test_an_answer_is_not_larger_than_it_may_be(folder) -> None:
    with pytest.raises(QueryError, match="more than 10 rows"):
        read("from range(11)", Limits(row_count=10))
    assert read("from range(10)", Limits(row_count=10)).num_rows == 10
    with pytest.raises(QueryError, match="larger than the memory limit of 100MB"):
        read("select repeat('x', 500) || range as x from range(1000000)", Limits(memory="100MB"))


def test_a_missing_warehouse_is_an_error_of_its_own(folder) -> None:
    with pytest.raises(WarehouseMissingError, match="there is no warehouse at"):
        read("select 1", warehouse=folder / "no.duckdb")


@pytest.mark.parametrize("statement", ["select 1 \0 drop", "select '\udcff'"])
def test_a_statement_that_is_no_text_is_refused(statement, folder) -> None:
    with pytest.raises(QueryError, match="no text"):
        read(statement)


ENDLESS = "select range as i, repeat('x', 100) as t from range(1000000000000)"


def wait_until(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow(seconds=6)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize(
    "statement", ["select count(*) from range(1000000000000)", "select lpad('x', 2000000000, 'y')"]
)
def test_the_query_ends_with_the_command(how, statement, folder) -> None:
    with subprocess.Popen(
        [EVALWH, "sql", statement, "--timeout", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        process = psutil.Process(command.pid)
        wait_until(lambda: process.children())
        keeper = process.children()[0]
        wait_until(lambda: keeper.cpu_times().user > 0.5)
        command.send_signal(how)
        stdout, stderr = command.communicate(timeout=10)
    assert command.returncode != 0
    assert "Traceback" not in stderr
    assert stdout == ""
    wait_until(lambda: not keeper.is_running())
    if how != signal.SIGKILL:
        assert list((folder.parent / "spill").iterdir()) == []


def test_a_sudden_end_of_the_query_is_a_message(folder) -> None:
    with subprocess.Popen(
        [EVALWH, "sql", "select count(*) from range(1000000000000)"],
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        process = psutil.Process(command.pid)
        wait_until(lambda: process.children())
        process.children()[0].kill()
        _, stderr = command.communicate(timeout=10)
    assert command.returncode == 1
    assert stderr.startswith("Error: DuckDB ended suddenly (SIGKILL) at this query")
    assert len(stderr.splitlines()) == 1


def test_a_closed_pipe_ends_the_query(folder) -> None:
    with subprocess.Popen(
        [EVALWH, "sql", ENDLESS, "--format", "csv", "--timeout", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        assert command.stdout.readline() == b"i,t\n"
        keeper = psutil.Process(command.pid).children()[0]
        command.stdout.close()
        assert command.stderr.read() == b""
        command.wait(timeout=10)
    wait_until(lambda: not keeper.is_running())


@pytest.mark.slow(seconds=6)
def test_a_reader_who_pauses_is_waited_for(folder) -> None:
    with subprocess.Popen(
        [
            *(EVALWH, "sql", "select range, repeat('x', 1000) from range(3000)"),
            *("--format", "csv", "--timeout", "3"),
        ],
        stdout=subprocess.PIPE,
    ) as command:
        assert command.stdout is not None
        first = command.stdout.readline()
        time.sleep(5)
        rest = command.stdout.readlines()
    assert first.startswith(b"range,")
    assert len(rest) == 3000
    assert command.returncode == 0


def test_a_file_of_the_working_folder_is_not_taken_for_a_library(folder) -> None:
    (folder / "duckdb.py").write_text("open('ran', 'w')")
    (folder / "json.py").write_text("open('ran', 'w')")
    assert read("select 1 as one").to_pylist() == [{"one": 1}]
    assert not (folder / "ran").exists()


def test_landlock_leaves_one_folder_to_write_in(tmp_path) -> None:
    if not landlock_is_here():
        assert not forbid_writing(but_in=tmp_path)
        pytest.skip("this system has no Landlock")
    (tmp_path / "own").mkdir()
    (tmp_path / "there").write_text("as it was")
    program = """
import socket, sys
from pathlib import Path
from warehouse.landlock import forbid_writing
folder = Path(sys.argv[1])
forbid_writing(but_in=folder / "own")
(folder / "own" / "file").write_text("x")
assert (folder / "there").read_text() == "as it was"
for attempt in (
    lambda: (folder / "there").write_text("x"),
    lambda: (folder / "new").touch(),
    lambda: (folder / "new").mkdir(),
    lambda: (folder / "there").unlink(),
    lambda: (folder / "there").rename(folder / "new"),
    lambda: (folder / "new").symlink_to("there"),
    lambda: __import__("os").truncate(folder / "there", 0),
):
    try:
        attempt()
    except PermissionError:
        print("refused")
"""
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.stdout.split() == ["refused"] * 7, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "there"]
    assert (tmp_path / "there").read_text() == "as it was"


def test_a_full_disk_names_the_parquet_file(folder, tmp_path, monkeypatch) -> None:
    # A disk that takes no byte; the temporary file beside it is there all the same.
    path, opened = tmp_path / "scores.parquet", Path.open

    def full(self, mode, *more, **named):
        return opened(Path("/dev/full") if mode == "xb" else self, mode.replace("x", "w"))

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(QueryError, match=r"scores\.parquet cannot be written: No space left"):
        write_parquet("select * from range(1000)", path)


def test_functions_that_take_an_address_are_refused_by_name(folder):
    named = duckdb.sql(
        "select distinct function_name, parameter_types from duckdb_functions()"
        " where list_contains(parameter_types, 'POINTER')"
    ).fetchall()
    assert named
    for name, types in named:
        nulls = ", ".join(["null"] * len(types))
        for spelt in (name, name.upper(), f'"{name}" '):
            with pytest.raises(QueryError, match=f"{name} takes an address in memory"):
                read(f"from {spelt}({nulls})", LIMITS)
    assert read("select 'pandas_scan', (1) as one", LIMITS).num_rows == 1
