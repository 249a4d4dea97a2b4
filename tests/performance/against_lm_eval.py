"""The same prompts through evalwh and through lm-evaluation-harness, on one real SGLang server.

    EVALWH_BENCHMARK_MIRROR=... python -m tests.performance.against_lm_eval \\
        --endpoint http://127.0.0.1:30000 --model MODEL --tokenizer FOLDER --lm-eval-python PYTHON

Items, prompts (shots included) and choices are evalwh's; lm-eval reads them from files, by task
files written here, and asks them with its `local-completions` model class, 16 requests at once. The
server's prefix cache is emptied before each. Both accuracies are printed beside the seconds: the
same answers, or there is nothing to compare. `--lm-eval-python` names an environment that has
`lm_eval[api]`.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import duckdb
import requests
from rich.console import Console

from inference.asking.client import ClientSettings
from inference.asking.progress import RunProgress
from inference.asking.running import run
from inference.asking.sessions import RunConfig
from inference.planning.declarations import read_benchmark
from inference.planning.fetch import fetch
from inference.planning.few_shot import split_items, with_shots
from inference.planning.files import cached_files
from inference.planning.items import read_items
from inference.planning.prompts import item_text, prompt_prefix
from warehouse.loading import load

NUMBER = re.compile(r"#### (\-?[0-9\.\,]+)")

CHOICES = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {path}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{context}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{gold}}}}"
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""

COMPLETIONS = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {path}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{context}}}}"
doc_to_target: "{{{{gold}}}}"
generation_kwargs:
  until: ["Question:", "</s>", "<|im_end|>"]
  do_sample: false
  max_gen_toks: 256
filter_list:
  - name: strict
    filter:
      - {{function: regex, regex_pattern: "#### (\\\\-?[0-9\\\\.\\\\,]+)"}}
      - {{function: take_first}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--lm-eval-python", required=True)
    parser.add_argument("--limits", default="mmlu=40,hellaswag=20,gsm8k=16")
    options = parser.parse_args()
    limits = dict(pair.split("=") for pair in options.limits.split(","))
    with tempfile.TemporaryDirectory() as folder:
        base = RunConfig(
            model_id=options.model,
            benchmark_ids=(),
            endpoints=(options.endpoint,),
            tokenizer=options.tokenizer,
            cache=Path(folder) / "cache",
            shards=Path(folder) / "shards",
            store=Path(folder) / "generations.duckdb",
            client=ClientSettings(concurrency=4, batch_size=20),
        )
        print("benchmark   items     evalwh    lm-eval   ratio   accuracy: evalwh, lm-eval")
        for name, limit in limits.items():
            config = dataclasses.replace(base, benchmark_ids=(name,), limit=int(limit))
            list(fetch(read_benchmark(name), config.cache, os.environ["EVALWH_BENCHMARK_MIRROR"]))
            golds = write_task(config, name, Path(folder))
            ours, our_accuracy = ask_with_evalwh(config, golds)
            theirs, their_accuracy = ask_with_lm_eval(config, name, options, Path(folder))
            print(
                f"{name:10} {limit:>6} {ours:9.1f}s {theirs:9.1f}s {theirs / ours:7.1f}"
                f"   {our_accuracy:.4f}, {their_accuracy:.4f}",
                flush=True,
            )


def empty_cache(endpoint: str) -> None:
    time.sleep(2)
    requests.post(f"{endpoint}/flush_cache", timeout=60).raise_for_status()


def write_task(config: RunConfig, name: str, folder: Path) -> dict[str, str | int]:
    """Write the items as lm-eval reads them; gives the gold of every item."""
    benchmark = read_benchmark(name)
    items = read_items(benchmark, cached_files(benchmark, config.cache))
    split = split_items(items, benchmark.few_shot)
    wanted = {item.item_id for item in split.test[: config.limit]}
    golds: dict[str, str | int] = {}
    path = folder / f"{name}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for item, shots in with_shots(split, benchmark):
            if item.item_id not in wanted:
                continue
            gold = item.gold_index if item.choices else NUMBER.findall(item.target)[0]
            golds[item.item_id] = gold
            row = {
                "context": prompt_prefix(benchmark, item, shots) + item_text(benchmark, item),
                "choices": item.choices,
                "gold": gold,
            }
            file.write(json.dumps(row) + "\n")
    template = CHOICES if benchmark.request.kind == "choices" else COMPLETIONS
    (folder / f"evalwh_{name}.yaml").write_text(
        template.format(name=f"evalwh_{name}", path=path), encoding="utf-8"
    )
    return golds


def ask_with_evalwh(config: RunConfig, golds: dict[str, str | int]) -> tuple[float, float]:
    """Seconds from nothing to rows in the raw store, and the accuracy of these rows."""
    empty_cache(config.endpoints[0])
    started = time.perf_counter()
    with RunProgress(Console(file=io.StringIO())) as progress:
        report = run(config, progress)
    load(config.shards, config.store)
    seconds = time.perf_counter() - started
    assert report.failed_count == 0
    with duckdb.connect(str(config.store), read_only=True) as connection:
        chosen = connection.execute(
            """
            select item_id, arg_max(continuation_index, log_likelihood)
            from raw.run_requests
            inner join raw.items using (item_hash)
            inner join raw.log_likelihoods using (request_id)
            where raw.items.benchmark_id = $name
            group by item_id""",
            {"name": config.benchmark_ids[0]},
        ).fetchall()
        completed = connection.execute(
            """
            select item_id, completion_text
            from raw.run_requests
            inner join raw.items using (item_hash)
            inner join raw.generations using (request_id)
            where raw.items.benchmark_id = $name""",
            {"name": config.benchmark_ids[0]},
        ).fetchall()
    answers: dict[str, str | int] = dict(chosen)
    for item_id, text in completed:
        found = NUMBER.findall(text)
        answers[item_id] = found[0] if found else "[invalid]"
    assert answers.keys() == golds.keys()
    return seconds, sum(answers[one] == golds[one] for one in golds) / len(golds)


def ask_with_lm_eval(
    config: RunConfig, name: str, options: argparse.Namespace, folder: Path
) -> tuple[float, float]:
    """Seconds that lm-eval's own log gives between the first request and the last answer."""
    empty_cache(config.endpoints[0])
    script = folder / "baseline.py"
    script.write_text(
        f"""
import json, time
import lm_eval
from lm_eval.models.openai_completions import LocalCompletionsAPI
from lm_eval.tasks import TaskManager
manager = TaskManager(include_path={str(folder)!r}, include_defaults=False)
model = LocalCompletionsAPI(
    model={options.model!r}, base_url={config.endpoints[0] + "/v1/completions"!r},
    tokenizer={options.tokenizer!r}, num_concurrent=16, batch_size=1, max_length=8186,
    timeout=3600)
started = time.perf_counter()
results = lm_eval.simple_evaluate(
    model=model, tasks=["evalwh_{name}"], task_manager=manager, bootstrap_iters=0,
    cache_requests=False)
seconds = time.perf_counter() - started
scores = results["results"]["evalwh_{name}"]
value = next(v for k, v in scores.items() if k.startswith(("acc,", "exact_match,")))
print(json.dumps([seconds, value]))
""",
        encoding="utf-8",
    )
    said = subprocess.run(
        [options.lm_eval_python, str(script)],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "HF_DATASETS_OFFLINE": "1",
            "HF_HUB_OFFLINE": "1",
            "OPENAI_API_KEY": "none",
        },
    )
    if said.returncode:
        raise SystemExit(said.stderr[-4000:])
    seconds, accuracy = json.loads(said.stdout.splitlines()[-1])
    return seconds, accuracy


if __name__ == "__main__":
    main()
