"""The demonstration set: real answers of two small models, asked by this code, to our own items."""

from __future__ import annotations

from collections import Counter

import duckdb
import pytest

from inference.asking.running import item_hash_of
from inference.planning.declarations import benchmark_ids, read_benchmark
from inference.planning.few_shot import split_items
from inference.planning.files import demo_files
from inference.planning.items import read_items
from tests.dbt_project import REPOSITORY
from warehouse.loading import load

DEMO = REPOSITORY / "warehouse" / "demo"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "generations.duckdb"
    report = load(DEMO, path, keep_files=True)
    assert report.damaged == []
    return path


def rows(store, query):
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_it_is_small():
    assert sum(path.stat().st_size for path in DEMO.iterdir()) < 2_000_000


def test_two_models_were_asked_everything_and_answered(store):
    counts = rows(
        store,
        """
        select run_requests.run_id, run_requests.benchmark_id,
            count(distinct item_hash), count(distinct run_requests.request_id),
            count(distinct answers.request_id)
        from raw.run_requests
        left join raw.answers using (request_id)
        group by all""",
    )
    assert len({run for run, *_ in counts}) == 2
    models = Counter(benchmark for _, benchmark, *_ in counts)
    assert models == dict.fromkeys(benchmark_ids(), 2)
    for run, benchmark, item_count, asked, answered in counts:
        assert item_count >= 8, (run, benchmark)
        assert asked == answered, (run, benchmark)
    assert rows(store, "select count(*) from raw.failures") == [(0,)]


def test_it_is_marked_as_a_demonstration(store):
    assert rows(store, "select distinct item_set from raw.items") == [("demo",)]
    assert rows(store, "select distinct item_set from raw.run_sessions") == [("demo",)]


@pytest.mark.parametrize("benchmark_id", benchmark_ids())
def test_its_items_are_those_in_the_folders(benchmark_id, store):
    benchmark = read_benchmark(benchmark_id)
    items = split_items(read_items(benchmark, demo_files(benchmark)), benchmark.few_shot).test
    stored = rows(
        store,
        f"""
        select distinct item_hash from raw.run_requests
        where benchmark_id = '{benchmark_id}'
            and protocol_version = '{benchmark.protocol_version}'""",
    )
    assert {item_hash_of(item, benchmark) for item in items} == {name for (name,) in stored}


def test_it_holds_nothing_of_older_protocols(store):
    versions = rows(store, "select distinct benchmark_id, protocol_version from raw.run_requests")
    assert dict(versions) == {
        name: read_benchmark(name).protocol_version for name in benchmark_ids()
    }
    assert len(versions) == len(benchmark_ids())
    # Nor anything that no run asks for.
    for table, key in (("answers", "request_id"), ("items", "item_hash")):
        orphans = f"select {key} from raw.{table} anti join raw.run_requests using ({key})"
        assert rows(store, orphans) == []


def test_its_programs_were_run_elsewhere_and_say_so(store):
    assert rows(
        store,
        """
        select distinct outcomes.is_recorded, outcomes.outcome = 'sandbox_error'
        from raw.run_requests
        left join raw.program_outcomes as outcomes
            on
                run_requests.request_id = outcomes.request_id
                and run_requests.item_hash = outcomes.item_hash
                and run_requests.scorer = outcomes.measure_id
        where run_requests.scorer = 'program_passes'""",
    ) == [(True, False)]


def test_models_say_different_things(store):
    said = rows(
        store,
        """
        select item_hash, count(distinct completion_text), count(*)
        from raw.run_requests
        inner join raw.generations using (request_id)
        where benchmark_id = 'gsm8k'
        group by item_hash""",
    )
    assert len(said) == 10
    assert sum(different for _, different, _ in said) > 10
