"""Record the demonstration set anew: two small models, asked by this code, programs run.

    python -m tests.sglang.demonstration --python PYTHON --models FOLDER --scratch FOLDER

PYTHON is one that has sglang, `--models` a folder with the converted models (see README.md), each
below its name. What the present set holds an answer to is not asked again. `--scratch` keeps what
was asked: a recording that was interrupted goes on. At the end `warehouse/demo` is replaced by what
the present versions of the protocols need, with the outcomes of the programs, as they came out
in this machine's sandbox, marked as recorded.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from inference.asking.serving import ServeConfig, serving
from inference.measuring.measure import measure
from inference.planning.declarations import benchmark_ids, read_benchmark
from tests.dbt_project import REPOSITORY
from tests.sglang.servers import MODEL_ID, cpu_environment
from warehouse.loading import LOADED, load
from warehouse.shard_files import SCHEMAS, SHARDS, read_shard, shard_files, write_shard

if TYPE_CHECKING:
    from inference.measuring.measure import Measure
    from warehouse.shard_files import ShardKind

DEMO = REPOSITORY / "warehouse" / "demo"

EVALWH = str(Path(sys.executable).parent / "evalwh")

MODELS = {"smollm2-135m-instruct": MODEL_ID, "gemma-3-270m": "google/gemma-3-270m"}
"""Id under which each converted model is served."""

SHARDS_FOLDER = Path("data/shards")
STORE = Path("data/generations.duckdb")
"""Below the scratch folder: a session's row has paths, which are nobody's business."""

CHOSEN: dict[ShardKind, str] = {
    "requests": """
        select requests.*
        from requests
        inner join versions using (benchmark_id, protocol_version)""",
    "answers": "from answers where request_id in (select request_id from chosen_requests)",
    "items": "from items where item_hash in (select item_hash from chosen_requests)",
    # Files of before their version was written down were read for version 1.
    "files": """
        select files.*
        from files
        inner join versions
            on
                files.benchmark_id = versions.benchmark_id
                and coalesce(nullif(files.protocol_version, ''), '1') = versions.protocol_version
    """,
    "programs": """
        select programs.* replace (true as is_recorded)
        from programs
        where request_id in (select request_id from chosen_requests)""",
    "session": "from session where session_id in (select session_id from chosen_answers)",
    "session_end": "from session_end where session_id in (select session_id from chosen_answers)",
}
"""What is needed of each kind of shard, in an order in which one can name another."""

RUN_OF = {
    "requests": "from chosen_requests where run_id = $run",
    "answers": """
        from chosen_answers
        where request_id in (select request_id from chosen_requests where run_id = $run)""",
    "items": """
        from chosen_items
        where item_hash in (select item_hash from chosen_requests where run_id = $run)""",
    "files": "from chosen_files where run_id = $run",
    "programs": """
        from chosen_programs
        where request_id in (select request_id from chosen_requests where run_id = $run)""",
    "session": "from chosen_session where run_id = $run",
    "session_end": """
        from chosen_session_end
        where session_id in (select session_id from chosen_session where run_id = $run)""",
}
"""The rows of a run, by the kind of shard."""

ORDER: tuple[ShardKind, ...] = (
    "session", "files", "items", "requests", "answers", "session_end", "programs",
)  # fmt: skip
"""Kinds in the order in which a session writes them."""


def ask(folder: str, model_id: str, python: str) -> None:
    """Ask the model in `models/<folder>` what is not known; the scratch folder is the current."""
    config = ServeConfig(
        f"models/{folder}",
        model_id,
        port=0,
        is_cpu=True,
        log=Path(f"data/{folder}.log"),
        python=python,
    )
    with cpu_environment(), serving(config) as url:
        subprocess.run(
            [
                *(EVALWH, "run", "--items", "demo", "--model", model_id, "--endpoint", url),
                *("--concurrency", "12", "--batch-size", "10"),
            ],
            env={
                **os.environ,
                "EVALWH_SHARDS": str(SHARDS_FOLDER),
                "EVALWH_GENERATIONS": str(STORE),
            },
            check=True,
        )


def say(one: Measure, done: int, total: int) -> None:
    print(f"{one.table}: {done} of {total}", flush=True)


def needed(folders: list[Path]) -> duckdb.DuckDBPyConnection:
    """A connection with a table `chosen_<kind>` of what the present protocols need of the shards.

    The first row of a kind's key stays, as in the raw store.
    """
    connection = duckdb.connect()
    tables: dict[str, list[pa.Table]] = {kind: [] for kind in SHARDS}
    for folder in folders:
        for file in shard_files(folder):
            shard = read_shard(file)
            tables[shard.kind].append(shard.table)
    versions = pa.Table.from_pylist(
        [
            {"benchmark_id": name, "protocol_version": read_benchmark(name).protocol_version}
            for name in benchmark_ids()
        ]
    )
    connection.register("versions", versions)
    connection.register("models", pa.table({"model_id": list(MODELS.values())}))
    for kind, query in CHOSEN.items():
        connection.register(kind, pa.concat_tables([SCHEMAS[kind].empty_table(), *tables[kind]]))
        key = KEYS[kind]
        connection.execute(
            f"create table chosen_{kind} as"
            f" select distinct on ({key}) * from ({query}) order by {key}"
        )
    return connection


KEYS: dict[ShardKind, str] = {
    "requests": "run_id, benchmark_id, protocol_version, item_hash, sample_index, variant_index,"
    " purpose, request_id",
    "answers": "request_id",
    "items": "benchmark_id, item_index, item_hash",
    "files": "run_id, benchmark_id, role, file_name, sha256",
    "programs": "request_id, item_hash, measure_id, measure_version",
    "session": "session_id",
    "session_end": "session_id",
}


MISSING = """
    select models.model_id, versions.benchmark_id
    from models
    cross join versions
    left join chosen_requests as requests using (model_id, benchmark_id)
    left join chosen_answers as answers using (request_id)
    left join chosen_programs as programs
        on
            requests.request_id = programs.request_id
            and requests.item_hash = programs.item_hash
            and requests.scorer = programs.measure_id
    group by all
    having count(*) > count(answers.request_id)
        or count(*) filter (where scorer = 'program_passes') > count(programs.request_id)
    order by all"""
"""Benchmarks of which the set would not hold everything."""


def write_set(folders: list[Path], output: Path) -> None:
    """Write what is needed of the shards in `folders` into `output`, a few shards per run.

    Raises:
        ValueError: an answer or an outcome is missing.
    """
    with needed(folders) as connection:
        if missing := connection.execute(MISSING).fetchall():
            raise ValueError(f"not answered or not measured yet: {missing}")
        runs = connection.execute(
            "select run_id, max(session_id) from chosen_session group by run_id order by run_id"
        ).fetchall()
        for run, session in runs:
            for number, kind in enumerate(ORDER):
                rows = connection.execute(RUN_OF[kind], {"run": run}).to_arrow_table()
                table = rows.select(SCHEMAS[kind].names).cast(SCHEMAS[kind])
                write_shard(output, session, number, kind, table)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True, help="a Python that has sglang")
    parser.add_argument("--models", required=True, type=Path, help="folder of converted models")
    parser.add_argument("--scratch", required=True, type=Path)
    options = parser.parse_args()
    python = str(Path(options.python).absolute())
    models = options.models.resolve()
    options.scratch.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(options.scratch):
        if not Path("models").exists():
            Path("models").symlink_to(models)
        load(DEMO, STORE, keep_files=True)
        for folder, model_id in MODELS.items():
            ask(folder, model_id, python)
        measure(SHARDS_FOLDER, STORE, say)
        present = list(DEMO.glob("*.parquet"))
        output = Path("demo")
        write_set([DEMO, SHARDS_FOLDER / LOADED], output)
        for path in present:
            path.unlink()
        for path in output.glob("*.parquet"):
            (DEMO / path.name).write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
