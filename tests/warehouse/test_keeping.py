"""Keeping: what is wrong in the raw store is named, what can come back does, and no more goes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from inference.asking.restoring import restore_items
from inference.exchange.identities import misnamed, misscored
from tests.dbt_project import REPOSITORY
from warehouse import forgetting
from warehouse.errors import NothingToForgetError
from warehouse.examining import examine
from warehouse.forgetting import What, forget, what_would_go
from warehouse.loading import load
from warehouse.records import TABLES
from warehouse.repairing import repair
from warehouse.shard_files import read_shard, shard_files, write_shard

pytestmark = pytest.mark.slow(seconds=45)

EVALWH = str(Path(sys.executable).parent / "evalwh")


class Kept(NamedTuple):
    """A raw store, and its shards."""

    shards: Path
    store: Path

    def rows(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.store)) as connection:
            return connection.execute(query).fetchall()

    def content(self) -> dict[str, list[tuple]]:
        """All rows of all tables but those about the store itself."""
        return {
            name: self.rows(f"select * from raw.{name} order by all")
            for name in TABLES
            if name not in ("loaded_shards", "migrations")
        }

    def found(self) -> list[str]:
        return [
            f"{one.place} {one.run_id} {one.benchmark_id} {one.row_count} {one.what}"
            for one in examine(self.shards, self.store).findings
            + misnamed(self.store)
            + misscored(self.store)
        ]

    def evalwh(self, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        places = {"EVALWH_SHARDS": str(self.shards), "EVALWH_GENERATIONS": str(self.store)}
        return subprocess.run(
            [EVALWH, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            input=answer,
            check=False,
        )


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    folder = tmp_path_factory.mktemp("kept")
    kept = Kept(folder / "shards", folder / "generations.duckdb")
    shutil.copytree(REPOSITORY / "warehouse" / "demo", kept.shards)
    assert load(kept.shards, kept.store).refused == []
    return kept


@pytest.fixture(scope="module")
def whole(loaded: Kept) -> dict[str, list[tuple]]:
    """What was loaded."""
    return loaded.content()


@pytest.fixture
def kept(loaded: Kept, tmp_path: Path) -> Kept:
    shutil.copytree(loaded.shards, tmp_path / "shards")
    shutil.copy(loaded.store, tmp_path)
    return Kept(tmp_path / "shards", tmp_path / "generations.duckdb")


def only(names: list[tuple]) -> list[str]:
    return [name for (name,) in names]


def test_nothing_is_wrong_with_what_was_loaded(kept):
    assert kept.found() == []
    said = kept.evalwh("check")
    assert (said.returncode, "Everything is as it should be" in said.stdout) == (0, True)


WRONG = {
    "delete from raw.items where item_hash = (select min(item_hash) from raw.items)": (
        "raw.run_requests",
        "its item_hash is not in raw.items",
    ),
    "delete from raw.requests where kind = 'generation'": (
        "raw.answers",
        "request_id is",
    ),
    "delete from raw.prompts": ("raw.requests", "its prompt_id is not in raw.prompts"),
    "delete from raw.run_sessions": ("raw.answers", "session_id is"),
    "delete from raw.run_files": ("raw.run_files", "are not in it"),
    "delete from raw.generations": ("raw.answers", "or one of its log-likelihoods, is not there"),
    "delete from raw.log_likelihoods where continuation_index = 1": (
        "raw.answers",
        "or one of its log-likelihoods, is not there",
    ),
    "insert into raw.answers from raw.answers limit 1": ("raw.answers", "more than once"),
    "update raw.log_likelihoods set log_likelihood = 1": ("raw.answers", "log_likelihoods is"),
    "update raw.items set target = target || '!'": ("raw.items", "has another hash"),
    "update raw.prompts set prompt_text = prompt_text || '!'": (
        "raw.prompts",
        "its prompt_id is not that of its text",
    ),
    "update raw.requests set sample_index = 9": ("raw.requests", "has another hash"),
    "update raw.requests set model_revision = '9'": ("raw.requests", "has another hash"),
    "update raw.run_requests set scorer = 'nowhere'": ("raw.run_requests", "scorer is nowhere"),
    "update raw.run_requests set scorer = 'bleu' where item_hash ="
    " (select min(item_hash) from raw.items where benchmark_id = 'gsm8k')": (
        "raw.run_requests",
        "in one way",
    ),
    "update raw.run_sessions set item_set = 'real'": (
        "raw.run_requests",
        "the item is of the run's set of items",
    ),
    "delete from raw.run_requests where sample_index = 9": (
        "raw.run_requests",
        "fewer requests than the session needed",
    ),
    "update raw.items set golds = [] where benchmark_id = 'triviaqa'": (
        "raw.items",
        "has another hash",
    ),
    "update raw.run_requests set scorer = 'last_number' where benchmark_id = 'gsm8k'": (
        "raw.run_requests",
        "is declared to be scored by gsm8k_strict",
    ),
    "update raw.run_requests set scorer = 'last_number' where benchmark_id = 'jmmlu_full'": (
        "raw.run_requests",
        "is declared to be scored by nfkc_exact_match",
    ),
    "update raw.answers set answered_at = 'infinity'": (
        "raw.answers",
        "it is a time from 1970-01-01 to 2100-01-01",
    ),
    "update raw.answers set session_id = (select min(session_id) from raw.run_sessions"
    " where model_id = 'google/gemma-3-270m')": (
        "raw.answers",
        "a request is answered by the model that it asks",
    ),
    "update raw.generations set completion_text = completion_text || '!'": (
        "raw.generations",
        "its completion_text is not that of",
    ),
    "update raw.log_likelihoods set log_likelihood = log_likelihood - 1"
    " where continuation_index = 1": (
        "raw.log_likelihoods",
        "its log_likelihood is not that of",
    ),
    "update raw.program_outcomes set outcome = 'passed', wall_seconds = 1": (
        "raw.program_outcomes",
        "its outcome, wall_seconds is not that of",
    ),
    "update raw.items set cluster_id = 'one'": ("raw.items", "its cluster_id is not that of"),
    "update raw.items set gold_index = 99 where gold_index is not null": (
        "raw.items",
        "it is the index of one of the choices",
    ),
}


@pytest.mark.parametrize("statement", WRONG)
def test_what_is_wrong_in_the_raw_store_is_named(statement, kept):
    kept.rows(statement)
    place, said = WRONG[statement]
    assert any(one.startswith(place) and said in one for one in kept.found())


EMPTIED = {
    "delete from raw.answers; delete from raw.generations; delete from raw.log_likelihoods;"
    " delete from raw.program_outcomes": (
        "raw.answers",
        "it has 0 rows, and the shards of answers",
    ),
    "delete from raw.program_outcomes": ("raw.program_outcomes", "it has 0 rows"),
    "delete from raw.loaded_shards where kind = 'answers'": (
        "raw.answers",
        "that raw.loaded_shards remembers have 0",
    ),
    "update raw.loaded_shards set row_count = 1 where kind = 'requests'": (
        "raw.run_requests",
        "the shards of requests that raw.loaded_shards remembers have 2",
    ),
}
"""What only the memory of shards tells where the shards are gone."""


@pytest.mark.parametrize("statement", EMPTIED)
def test_tables_that_are_not_what_the_shards_brought_are_named(statement, kept):
    shutil.rmtree(kept.shards / "loaded")
    assert kept.found() == []
    kept.rows(statement)
    place, said = EMPTIED[statement]
    assert any(one.startswith(place) and said in one for one in kept.found())
    assert kept.evalwh("check").returncode == 1


def test_what_was_forgotten_of_shards_that_are_elsewhere_is_not_missed(kept):
    shutil.rmtree(kept.shards / "loaded")
    for (run,) in kept.rows("select distinct run_id from raw.run_requests"):
        forget(kept.shards, kept.store, What(run))
    assert kept.rows("select count(*) from raw.answers") == [(0,)]
    # Nor are their names: what is imported again may be the same bytes.
    assert kept.rows("select count(*) from raw.loaded_shards") == [(0,)]
    assert kept.found() == []


def test_a_row_that_another_shard_says_otherwise_is_like_the_first_that_came(kept):
    first, *_ = (file for file in shard_files(kept.shards / "loaded") if file.kind == "answers")
    table = read_shard(first).table
    texts = pa.array(["later"] * table.num_rows)
    is_text = pc.is_valid(table["completion_text"])
    said = pc.if_else(is_text, texts, table["completion_text"])
    place = table.schema.get_field_index("completion_text")
    write_shard(
        kept.shards, "later", 0, "answers", table.set_column(place, "completion_text", said)
    )
    assert load(kept.shards, kept.store).refused == []
    assert kept.found() == []
    kept.rows("update raw.generations set completion_text = 'by hand'")
    assert any("its completion_text is not that of" in one for one in kept.found())


def test_what_is_wrong_is_named_with_run_and_benchmark(kept):
    kept.rows(
        "delete from raw.generations where request_id in (select request_id from raw.run_requests"
        " where benchmark_id = 'gsm8k')"
    )
    runs = only(kept.rows("select distinct run_id from raw.run_requests"))
    for run in runs:
        assert any(one.startswith(f"raw.answers {run} gsm8k 10 ") for one in kept.found())
    said = kept.evalwh("check")
    assert said.returncode == 1
    assert f"raw.answers ({runs[0]}, gsm8k): 10: " in said.stdout
    assert "evalwh repair" in said.stderr


def test_a_damaged_shard_is_named_wherever_it_is(kept):
    loaded, waiting = sorted((kept.shards / "loaded").glob("*.answers.*"))
    os.truncate(loaded, 50)
    waiting = waiting.rename(kept.shards / waiting.name)
    os.truncate(waiting, 50)
    found = kept.found()
    assert [one for one in found if str(loaded) in one]
    assert [one for one in found if str(waiting) in one]
    assert len(found) == 2


LOST = (
    "items",
    "prompts",
    "requests",
    "run_requests",
    "run_sessions",
    "run_session_ends",
    "run_files",
    "answers",
    "generations",
    "log_likelihoods",
    "program_outcomes",
)


@pytest.mark.parametrize("table", LOST)
def test_rows_that_are_lost_are_fetched_back_from_shards(table, kept, whole):
    assert whole[table]
    kept.rows(f"delete from raw.{table}")
    said = kept.evalwh("repair")
    assert said.returncode == 0, said.stdout + said.stderr
    assert kept.content() == whole


def test_items_that_no_shard_has_are_read_again(kept):
    before = kept.content()
    for file in list(shard_files(kept.shards / "loaded")):
        if file.kind in ("items", "files"):
            file.path.unlink()
    kept.rows("delete from raw.items")
    kept.rows("delete from raw.run_files")
    found, problems = restore_items(kept.shards, kept.store, kept.shards / "none", "again")
    assert problems == []
    assert sum(found.values()) > len(before["items"])
    after = kept.content()
    # Files of before versions of protocols were written down come back with theirs.
    files = [sorted(row[:6] for row in one.pop("run_files")) for one in (before, after)]
    assert files[0] == files[1]
    assert after == before


def test_files_that_no_shard_has_are_read_again_where_no_item_is_lost(kept):
    before = kept.content()
    for file in list(shard_files(kept.shards / "loaded")):
        if file.kind == "files":
            os.truncate(file.path, 50)
    kept.rows("delete from raw.run_files")
    said = kept.evalwh("repair")
    assert "Traceback" not in said.stdout + said.stderr
    after = kept.content()
    files = [sorted(row[:6] for row in one.pop("run_files")) for one in (before, after)]
    assert files[0] == files[1]
    assert after == before


def test_a_session_that_no_shard_has_is_put_together_from_its_answers(kept):
    lost, *_ = only(kept.rows("select distinct session_id from raw.answers order by all"))
    run = kept.rows(f"select run_id, model_id from raw.run_sessions where session_id = '{lost}'")
    # Another session of the run, which says what the run is.
    kept.rows(
        "insert into raw.run_sessions select * replace ('another' as session_id)"
        f" from raw.run_sessions where session_id = '{lost}'"
    )
    kept.rows(f"delete from raw.run_sessions where session_id = '{lost}'")
    for path in (kept.shards / "loaded").glob("*.session.*"):
        path.unlink()
    assert repair(kept.shards, kept.store, "repaired").sessions == [lost]
    found = kept.rows(
        "select run_id, model_id, len(benchmark_ids) > 5, len(endpoints)"
        f" from raw.run_sessions where session_id = '{lost}'"
    )
    assert found == [(*run[0], True, 1)]
    assert kept.found() == []


def test_answers_that_no_shard_has_whole_are_taken_out(kept):
    for path in (kept.shards / "loaded").glob("*.answers.*"):
        path.unlink()
    (count,) = only(kept.rows("select count(*) from raw.generations"))
    kept.rows("delete from raw.generations")
    kept.rows("delete from raw.program_outcomes")
    report = repair(kept.shards, kept.store, "repaired")
    assert report.emptied_count == count
    # What was measured of them waits for them.
    assert len(report.refused) == 2


def test_a_shard_that_was_set_aside_is_tried_again(kept):
    path = min((kept.shards / "loaded").glob("*.answers.*"))
    content = path.read_bytes()
    before = kept.content()
    kept.store.unlink()
    os.truncate(path, 50)
    assert len(load(kept.shards, kept.store).damaged) == 1
    (kept.shards / "damaged" / path.name).write_bytes(content)
    assert repair(kept.shards, kept.store, "repaired").refused == []
    assert kept.content() == before


def test_a_run_that_is_forgotten_is_gone_and_the_other_is_whole(kept):
    run, other = only(kept.rows("select distinct run_id from raw.run_sessions order by all"))
    before = kept.content()
    said = kept.evalwh("forget", run, "--yes")
    assert said.returncode == 0, said.stderr
    assert kept.found() == []
    for table in ("run_sessions", "run_requests", "run_files"):
        assert only(kept.rows(f"select distinct run_id from raw.{table}")) == [other]
    # Another model's: nothing is shared but items and prompts, which stay.
    for table in ("answers", "requests"):
        assert len(kept.content()[table]) * 2 == len(before[table])
    for table in ("items", "prompts"):
        assert kept.content()[table] == before[table]
    after = kept.content()
    # It does not come back.
    assert load(kept.shards, kept.store).shard_count == 0
    repair(kept.shards, kept.store, "repaired")
    assert kept.content() == after
    kept.store.unlink()
    assert load(kept.shards, kept.store).refused == []
    assert kept.content() == after


def test_a_benchmark_that_is_forgotten_leaves_the_rest_of_its_shards(kept):
    run, _ = only(kept.rows("select distinct run_id from raw.run_sessions order by all"))
    before = kept.content()
    gone = forget(kept.shards, kept.store, What(run, "gsm8k"))
    assert (gone.mapping_count, gone.answer_count, gone.shared_count) == (10, 10, 0)
    assert kept.found() == []
    after = kept.content()
    assert len(before["answers"]) - len(after["answers"]) == 10
    assert after["run_sessions"] == before["run_sessions"]
    # Not all that they needed is there: they are no longer at their end.
    ends = (
        "select count(*) from raw.run_session_ends inner join raw.run_sessions using (session_id)"
    )
    assert kept.rows(f"{ends} where run_id = '{run}'") == [(0,)]
    assert after["run_session_ends"] != []
    assert len(before["run_files"]) > len(after["run_files"])
    kept.store.unlink()
    assert load(kept.shards, kept.store).refused == []
    assert kept.content() == after
    # What the shards were is kept.
    assert {file.kind for file in shard_files(kept.shards / "forgotten")} == {
        "answers",
        "files",
        "requests",
        "session_end",
    }


def test_a_request_that_is_forgotten_is_one(kept):
    (run, name), *_ = kept.rows(
        "select run_id, request_id from raw.run_requests where scorer = 'program_passes'"
        " order by all"
    )
    before = kept.content()
    forget(kept.shards, kept.store, What(run, None, name))
    after = kept.content()
    for table in ("answers", "requests", "run_requests", "generations", "program_outcomes"):
        assert len(before[table]) - len(after[table]) == 1
    assert kept.found() == []


def test_what_another_run_asks_too_stays(kept):
    run, _ = only(kept.rows("select distinct run_id from raw.run_sessions order by all"))
    kept.rows(
        "insert into raw.run_requests select * replace ('twin' as run_id) from raw.run_requests"
        f" where run_id = '{run}' and benchmark_id = 'gsm8k'"
    )
    before = kept.content()
    going = what_would_go(kept.store, What(run, "gsm8k"))
    assert (going.answer_count, going.shared_count, going.shared_with) == (0, 10, ["twin"])
    forget(kept.shards, kept.store, What(run))
    after = kept.content()
    assert len(after["answers"]) == len(before["answers"]) // 2 + 10
    # The session, too, in which its answers came.
    sessions = {row[1] for row in after["answers"]}
    assert sessions <= {row[1] for row in after["run_sessions"]}
    assert len(after["run_sessions"]) < len(before["run_sessions"])


def test_forgetting_asks_first_and_names_what_there_is(kept):
    run, _ = only(kept.rows("select distinct run_id from raw.run_sessions order by all"))
    before = kept.content()
    assert kept.evalwh("forget", run, answer="n\n").returncode == 1
    assert kept.content() == before
    with pytest.raises(NothingToForgetError, match=run):
        what_would_go(kept.store, What("it's nowhere"))
    assert "nothing of" in kept.evalwh("forget", run, "--benchmark", "nowhere", "--yes").stderr


def test_forgetting_that_is_killed_loses_nothing_else_and_can_be_said_again(kept, monkeypatch):
    run, other = only(kept.rows("select distinct run_id from raw.run_sessions order by all"))
    write_again = forgetting._write_again

    class KilledError(BaseException):
        pass

    def killed(*arguments):
        write_again(*arguments)
        raise KilledError

    monkeypatch.setattr(forgetting, "_write_again", killed)
    before = kept.content()
    with pytest.raises(KilledError):
        forget(kept.shards, kept.store, What(run, "gsm8k"))
    assert kept.content() == before
    monkeypatch.undo()
    assert load(kept.shards, kept.store).refused == []
    assert kept.content() == before
    forget(kept.shards, kept.store, What(run, "gsm8k"))
    assert kept.found() == []
    after = kept.content()
    kept.store.unlink()
    load(kept.shards, kept.store)
    assert kept.content() == after
    assert only(kept.rows("select distinct run_id from raw.run_sessions order by all")) == [
        run,
        other,
    ]
