"""Record the demonstration set: what two small models answer to the demonstration items.

    python -m tests.sglang.demonstration --python .venv-sglang/bin/python

writes `warehouse/demo` anew. Requests that the set has answers to are not asked again, so that a
change of one prompt takes minutes; answers to prompts of before are left out. Generated programs
are run in the sandbox of this machine, and their outcomes are marked as recorded: a machine without
a sandbox shows them all the same.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from inference.asking.progress import RunProgress
from inference.asking.running import run
from inference.asking.serving import ServeConfig, serving
from inference.asking.sessions import RunConfig
from inference.measuring.measure import measure
from inference.planning.declarations import benchmark_ids, read_benchmark
from tests.dbt_project import REPOSITORY
from tests.sglang.servers import converted_model, cpu_environment
from warehouse.loading import load
from warehouse.raw_store import open_raw_store
from warehouse.shard_files import SCHEMAS, write_shard

if TYPE_CHECKING:
    import duckdb

    from warehouse.shard_files import ShardKind

DEMO = REPOSITORY / "warehouse" / "demo"

MODELS = {
    "smollm2-135m-instruct": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "gemma-3-270m": "google/gemma-3-270m",
}
"""Name of the packaged model, and the repository that it is of."""

# What is asked now: of files without a version only those that no file with one replaces.
WANTED = """
    create temp table wanted as
    select run_requests.* from raw.run_requests
    inner join declared using (benchmark_id, protocol_version)
    where run_id = ?"""

SHARDS: dict[ShardKind, str] = {
    # Without the folders of the machine that recorded it.
    "session": """
        select * replace (
            replace(server_arguments, $models, '')::json as server_arguments,
            replace(configuration, $scratch, '')::json as configuration
        )
        from raw.run_sessions where run_id = $run order by session_id""",
    "files": """
        select * from raw.run_files
        where run_id = $run
        qualify rank() over (partition by benchmark_id order by protocol_version desc) = 1
        order by benchmark_id, role, file_name""",
    "items": """
        select * from raw.items where item_hash in (select item_hash from wanted)
        order by benchmark_id, item_index""",
    "requests": """
        select * from wanted
        inner join raw.requests using (request_id, sample_index)
        inner join raw.prompts using (prompt_id)
        order by benchmark_id, item_hash, sample_index, variant_index, purpose""",
    "answers": """
        select answers.*, generations.* exclude (request_id), weighed.* exclude (request_id)
        from raw.answers
        left join raw.generations using (request_id)
        left join (
            select
                request_id,
                list(log_likelihood order by continuation_index) as log_likelihoods,
                list(token_count order by continuation_index) as token_counts,
                any_value(is_single_token) as is_single_token
            from raw.log_likelihoods group by request_id
        ) as weighed using (request_id)
        where request_id in (select request_id from wanted)
        order by request_id""",
    "session_end": """
        select * from raw.run_session_ends
        where session_id in (select session_id from raw.run_sessions where run_id = $run)
        order by session_id""",
    "programs": """
        select * replace (true as is_recorded) from raw.program_outcomes
        where (request_id, item_hash) in (select (request_id, item_hash) from wanted)
        order by request_id, item_hash""",
}
"""What is written of a run, in this order."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--python", required=True, help="the Python that has sglang")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        store, shards = scratch / "generations.duckdb", scratch / "shards"
        load(DEMO, store, keep_files=True)
        with cpu_environment():
            folders = [converted_model(options.python, packaged) for packaged in MODELS]
            models = folders[0].parent
            runs = [
                asked(folder, model_id, options.python, scratch)
                for folder, model_id in zip(folders, MODELS.values(), strict=True)
            ]
        measure(shards, store, lambda one, done, total: print(f"{one.table}: {done} of {total}"))
        for old in DEMO.glob("*.parquet"):
            old.unlink()
        with open_raw_store(store, read_only=True) as connection:
            connection.execute(
                "create temp table declared (benchmark_id varchar, protocol_version varchar)"
            )
            connection.executemany(
                "insert into declared values (?, ?)",
                [[name, read_benchmark(name).protocol_version] for name in benchmark_ids()],
            )
            for run_id in runs:
                write(connection, run_id, {"models": f"{models}/", "scratch": f"{scratch}/"})


def asked(model: Path, model_id: str, python: str, scratch: Path) -> str:
    """Id of the run in which the model has answered everything that the set lacked."""
    config = ServeConfig(
        str(model), model_id, port=0, is_cpu=True, log=scratch / "server.log", python=python
    )
    with serving(config) as url, RunProgress(Console()) as progress:
        report = run(
            RunConfig(
                model_id=model_id,
                benchmark_ids=tuple(benchmark_ids()),
                endpoints=(url,),
                item_set="demo",
                shards=scratch / "shards",
                store=scratch / "generations.duckdb",
            ),
            progress,
        )
    load(scratch / "shards", scratch / "generations.duckdb")
    assert report.failed_count == 0, report.first_errors
    print(f"{report.run_id}: {report.known_count} known, {report.answered_count} asked")
    return report.run_id


def write(connection: duckdb.DuckDBPyConnection, run_id: str, folders: dict[str, str]) -> None:
    """Write the run into the set, under the name of its last session."""
    known = {"run": run_id, **folders}
    connection.execute("drop table if exists wanted")
    connection.execute(WANTED, [run_id])
    (session_id,) = connection.execute(
        "select max(session_id) from raw.run_sessions where run_id = ?", [run_id]
    ).fetchall()[0]
    for number, (kind, query) in enumerate(SHARDS.items()):
        parameters = {name: value for name, value in known.items() if f"${name}" in query}
        table = connection.execute(query, parameters).to_arrow_table()
        schema = SCHEMAS[kind]
        if table.num_rows:
            write_shard(DEMO, session_id, number, kind, table.select(schema.names).cast(schema))


if __name__ == "__main__":
    main()
