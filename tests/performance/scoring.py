"""How long full-size scoring takes: 35 models, the 19 benchmarks with their real numbers of items.

    python -m tests.performance.scoring [--models 35] [--scale 1.0] [--keep FOLDER]

The raw store is made up by this script: as many items, samples and choices as the study has, with
texts of the usual lengths. It prints how long `dbt build` takes from that raw store to all marts
with all tests, how much memory, how long after one more model, how long its scores alone, and how
long dbt takes where nothing was measured; and how the scoring rules compare with the reference's
Python functions on a share of the same samples in the same run.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import duckdb
import psutil

from tests.dbt_project import DBT, REPOSITORY, dbt_environment
from tests.warehouse import rules
from warehouse.raw_store import open_raw_store

BENCHMARKS = {
    # items, samples, choices, scorer, items per cluster
    "jcommonsenseqa": (1119, 1, 0, "nfkc_exact_match", 1),
    "jemhopqa": (120, 1, 0, "character_f1", 1),
    "niilc": (198, 1, 0, "character_f1", 1),
    "jsquad": (4442, 1, 0, "character_f1", 4),
    "xlsum_ja": (766, 1, 0, "rouge2_of_tokens", 1),
    "mgsm_ja": (250, 1, 0, "last_number", 1),
    "wmt20_en_ja": (1000, 1, 0, "bleu_nagisa", 1),
    "wmt20_ja_en": (993, 1, 0, "bleu", 1),
    "jmmlu": (3541, 1, 0, "nfkc_exact_match", 67),
    "jhumaneval": (164, 10, 0, "program_passes", 1),
    "openbookqa": (500, 1, 4, "most_likely_choice", 1),
    "triviaqa": (17944, 1, 0, "any_alias", 1),
    "hellaswag": (10042, 1, 4, "most_likely_choice", 1),
    "squad2": (11873, 1, 0, "squad2_exact", 10),
    "xwino_en": (2325, 1, 2, "most_likely_context", 1),
    "mmlu": (14042, 1, 4, "most_likely_choice", 246),
    "gsm8k": (1319, 1, 0, "gsm8k_strict", 1),
    "bbh": (6511, 1, 0, "the_answer_is", 241),
    "humaneval": (164, 10, 0, "program_passes", 1),
}
"""Items, samples of each, choices (0: a completion), scorer, and items of a cluster."""

COMPLETIONS = {
    "nfkc_exact_match": "chr(65 + (h % 4)::integer)",
    "character_f1": "'東京都千代田区' || (h % 50) || chr(10) || chr(10) || '### 入力'",
    "any_alias": "' The Answer ' || (h % 40)",
    "squad2_exact": "' the answer, ' || (h % 20)",
    "last_number": "'計算すると ' || (h % 900) || '。答えは' || (h % 9) || '。'",
    "gsm8k_strict": "repeat('She has 3 apples. ', 12) || chr(10) || '#### ' || (h % 30)",
    "the_answer_is": (
        "repeat('First, think. ', 30) || 'So the answer is (' || chr(65 + (h % 5)::integer) || ').'"
    ),
    "rouge2_of_tokens": "repeat('要約の文。', 20)",
    "bleu": "'The translation of a sentence, ' || (h % 30) || ' of them.'",
    "bleu_nagisa": "'文の翻訳、' || (h % 30) || '個。'",
    "program_passes": "'    return ' || (h % 30)",
}
"""SQL for a completion from a hash `h` of model, item and sample."""

GOLDS = {
    "nfkc_exact_match": "[chr(65 + (i % 4)::integer)]",
    "character_f1": "['東京都' || (i % 50)]",
    "any_alias": "list_transform(range(16), lambda x: 'Answer ' || ((i + x * 7) % 200))",
    "squad2_exact": "if(i % 2 = 0, []::varchar[], ['answer ' || (i % 20), 'x ' || (i % 20)])",
    "last_number": "[(i % 9)::varchar]",
    "gsm8k_strict": "['text' || chr(10) || '#### ' || (i % 30)]",
    "the_answer_is": "['(' || chr(65 + (i % 5)::integer) || ')']",
}


def make_items(connection: duckdb.DuckDBPyConnection, scale: float) -> None:
    """Items of every benchmark, by number `i`."""
    for benchmark_id, (count, _, choices, scorer, size) in BENCHMARKS.items():
        golds = GOLDS.get(scorer, "['gold']")
        gold_index = f"i % {choices}" if choices else "null"
        connection.execute(
            f"""
            insert into raw.items
            select
                md5('{benchmark_id}' || i), 'real', '{benchmark_id}', i::varchar, i, '',
                (i // {size})::varchar, '{{}}', coalesce(golds[1], 'unanswerable'), golds,
                list_transform(range({choices}), lambda x: 'choice ' || x), {gold_index}
            from (select i, {golds} as golds from range({max(2, int(count * scale))}) as r (i))"""
        )


def add_model(connection: duckdb.DuckDBPyConnection, number: int, scale: float) -> None:
    """A run of one more model: everything it was asked and answered."""
    run, model = f"model_{number}-00000000", f"lab/model-{number}"
    connection.execute(
        """
        insert into raw.run_sessions by name
        select
            ? as run_id, ? as session_id, 'real' as item_set, 'reference' as protocol,
            ? as model_id, 'r1' as model_revision, 't1' as tokenizer_id, 4096 as context_length,
            []::varchar[] as benchmark_ids, []::varchar[] as endpoints, 'sglang' as engine,
            '0' as engine_version, '{}'::json as server_arguments, []::varchar[] as gpu_names,
            1 as concurrency, 1 as batch_size, '{}'::json as configuration, 'c' as code_commit,
            '3.11' as python_version, now() as started_at""",
        [run, run, model],
    )
    for benchmark_id, (count, samples, choices, scorer, _) in BENCHMARKS.items():
        items = max(2, int(count * scale))
        variants = choices if scorer == "most_likely_context" else 1
        connection.execute(
            f"""
            create or replace temp table asked as
            select
                md5(concat_ws(' ', '{model}', '{benchmark_id}', i, s, v)) as request_id,
                md5('{benchmark_id}' || i) as item_hash, i, s, v,
                (hash({number}, i, s, v) % 1000003)::bigint as h
            from range({items}) as items (i), range({samples}) as samples (s),
                range({variants}) as variants (v)"""
        )
        tokens = (
            "list_transform(range(60), lambda x: (i * x) % 97)" if "rouge" in scorer else "null"
        )
        connection.execute(
            f"""
            insert into raw.run_requests
            select '{run}', '{benchmark_id}', '1', '{scorer}', item_hash, s, v, 'answer',
                request_id, {tokens}
            from asked"""
        )
        kind = "log_likelihood" if choices else "generation"
        continuations = 0 if not choices else 1 if variants > 1 else choices
        connection.execute(
            f"""
            insert into raw.requests
            select request_id, '{model}', 'r1', 't1', '{kind}', item_hash,
                list_transform(range({continuations}), lambda x: x::varchar), '{{}}', s, 500, 0
            from asked"""
        )
        connection.execute(
            f"""
            insert into raw.answers
            select request_id, '{run}', 'http://127.0.0.1', 500, 20, 400, 1, 0.5, now()
            from asked"""
        )
        if choices:
            connection.execute(
                f"""
                insert into raw.log_likelihoods
                select request_id, c, -(hash(h, c) % 100000)::bigint / 1000.0, 1, true
                from asked, range({continuations}) as continuations (c)"""
            )
            continue
        tokens = (
            "list_transform(range(50), lambda x: (h + i * x) % 97)" if "rouge" in scorer else "null"
        )
        connection.execute(
            f"""
            insert into raw.generations
            select request_id, {COMPLETIONS[scorer]}, 'stop', {tokens} from asked"""
        )
        if scorer in ("bleu", "bleu_nagisa"):
            connection.execute(
                f"""
                insert into raw.translation_statistics
                select request_id, item_hash, '{scorer}', 1, [h % 20, h % 15, h % 10, h % 5],
                    [25, 24, 23, 22], 25, 26, (h % 100) / 100, now()
                from asked"""
            )
        if scorer == "program_passes":
            connection.execute(
                f"""
                insert into raw.program_outcomes
                select request_id, item_hash, '{scorer}', 1, if(h % 3 = 0, 'passed', 'failed'), '',
                    0.01, now(), false
                from asked"""
            )


def fill(store: Path, models: range, scale: float) -> None:
    with open_raw_store(store) as connection:
        connection.execute("set wal_autocheckpoint = '1GB'")
        connection.begin()
        if models.start == 0:
            make_items(connection, scale)
            connection.execute(
                "insert into raw.prompts select distinct item_hash, 'a prompt' from raw.items"
            )
        for number in models:
            add_model(connection, number, scale)
        connection.commit()


def timed(folder: Path, *arguments: str) -> tuple[float, float]:
    """Seconds and peak memory, in MB, of `dbt ARGUMENTS`."""
    environment = {
        **os.environ,
        "DBT_PROFILES_DIR": "warehouse",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        **dbt_environment(folder),
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(DBT), "--no-use-colors", *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    peak = [0.0]

    def watch() -> None:
        while process.poll() is None:
            try:
                peak[0] = max(peak[0], psutil.Process(process.pid).memory_info().rss / 1e6)
            except psutil.Error:
                return
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    said, _ = process.communicate()
    thread.join()
    seconds = time.perf_counter() - started
    (folder / "build.log").write_text(said)
    if process.returncode:
        raise SystemExit(said[-6000:])
    return seconds, peak[0]


def against_python(store: Path) -> None:
    """The rules by themselves, in SQL and in Python, on the same completions."""
    from warehouse.functions import Plugin

    found: dict[str, list[str]] = {}
    with duckdb.connect() as connection:
        Plugin(name="functions", plugin_config={}).configure_connection(connection)
        connection.execute(f"attach '{store}' as generations (read_only)")
        print("rule, in SQL and in Python: texts per second, ratio")
        for scorer, name in {
            "nfkc_exact_match": "first_paragraph",
            "any_alias": "alias_form",
            "squad2_exact": "squad_form",
            "gsm8k_strict": "number_after_hashes",
            "the_answer_is": "after_the_answer_is",
        }.items():
            connection.execute(
                """
                create or replace temp table texts as
                select completion_text as text
                from generations.raw.generations
                inner join generations.raw.run_requests using (request_id)
                where scorer = ? limit 200000""",
                [scorer],
            )
            sql = "squad_form(text)" if name == "squad_form" else rules.rendered(f"{name}('text')")
            started = time.perf_counter()
            connection.execute(f"create or replace temp table answers as select {sql} from texts")
            in_sql = time.perf_counter() - started
            found[name] = [text for (text,) in connection.execute("from texts").fetchall()]
            rule = getattr(rules, name)
            started = time.perf_counter()
            for text in found[name]:
                rule(text)
            in_python = time.perf_counter() - started
            count = len(found[name])
            print(
                f"  {name}: {count / in_sql:,.0f} and {count / in_python:,.0f},"
                f" {in_python / in_sql:.1f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=35)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the items")
    parser.add_argument("--keep", type=Path, help="folder to leave the files in")
    options = parser.parse_args()
    random.seed(1)
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        store = folder / "generations.duckdb"
        if not store.exists():
            fill(store, range(options.models), options.scale)
        with duckdb.connect(str(store), read_only=True) as connection:
            counts = connection.execute(
                """
                select
                    (select count(*) from raw.run_requests where variant_index = 0),
                    (select count(*) from raw.log_likelihoods)"""
            ).fetchone()
        assert counts is not None
        print(f"{options.models} models, {counts[0]:,} samples, {counts[1]:,} log-likelihoods")
        seconds, memory = timed(folder, "build")
        print(f"dbt build of everything: {seconds:.1f} s, {memory:,.0f} MB", flush=True)
        seconds, memory = timed(folder, "build")
        print(f"again, with nothing new: {seconds:.1f} s, {memory:,.0f} MB", flush=True)
        fill(store, range(options.models, options.models + 1), options.scale)
        seconds, memory = timed(folder, "build")
        print(f"after one more model: {seconds:.1f} s, {memory:,.0f} MB", flush=True)
        fill(store, range(options.models + 1, options.models + 2), options.scale)
        seconds, memory = timed(folder, "run", "--select", "+fct_run_scores")
        print(f"scores alone of one more model: {seconds:.1f} s, {memory:,.0f} MB", flush=True)
        with tempfile.TemporaryDirectory() as other:
            with open_raw_store(Path(other) / store.name):
                pass
            timed(Path(other), "build")
            seconds, _ = timed(Path(other), "build")
            print(f"the same dbt build with nothing measured at all: {seconds:.1f} s", flush=True)
        against_python(store)


if __name__ == "__main__":
    sys.exit(main())
