"""Record completions of a real model to the demonstration prompts, drawn at random.

    python -m tests.sglang.completions --endpoint http://127.0.0.1:30000 --model MODEL \\
        --tokenizer FOLDER

writes `tests/warehouse/completions.parquet`: texts as models write them, on which the rules of the
scorers are compared with their originals. Every prompt of the demonstration set that is completed
is sent `--draws` times, so that there are thousands of different ones.
"""

from __future__ import annotations

import argparse
import json
from itertools import islice, product

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import requests

from inference.planning.tokenizers import read_tokenizer
from tests.dbt_project import REPOSITORY

OUTPUT = REPOSITORY / "tests" / "warehouse" / "completions.parquet"

LONG = {"gsm8k": 112, "mgsm_ja": 112, "bbh": 112}
"""New tokens of completions that reason before they answer; others have 28."""

PROMPTS = """
    select distinct on (item_hash)
        items.benchmark_id, items.item_id, items.target, items.golds, requests.prompt_text,
        requests.decoding ->> '$.stop' as stop
    from '{demo}/*.requests.*.parquet' as requests
    inner join '{demo}/*.items.*.parquet' as items using (item_hash)
    where kind = 'generation' and scorer != 'program_passes'
    order by item_hash, model_id"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--model", required=True, help="name that is written beside the texts")
    parser.add_argument("--tokenizer", required=True, help="the model's folder")
    parser.add_argument("--draws", type=int, default=14)
    options = parser.parse_args()
    tokenizer = read_tokenizer(options.tokenizer)

    def tokens(text: str) -> list[int]:
        return tokenizer.encode(text, special_tokens=False).tolist()

    demo = REPOSITORY / "warehouse" / "demo"
    asked = duckdb.sql(PROMPTS.format(demo=demo)).fetchall()
    rows = []
    pending = product(asked, range(options.draws))
    while chunk := list(islice(pending, 64)):
        answer = requests.post(
            f"{options.endpoint}/generate",
            json={
                "text": [prompt for (_, _, _, _, prompt, _), _ in chunk],
                "sampling_params": [
                    {
                        "max_new_tokens": LONG.get(benchmark_id, 28),
                        # The first draws are the surest.
                        "temperature": 0.1 * draw,
                        # Every second goes on where the benchmark would stop.
                        "stop": json.loads(stop) if draw % 2 == 0 else [],
                    }
                    for (benchmark_id, _, _, _, _, stop), draw in chunk
                ],
            },
            timeout=3600,
        )
        answer.raise_for_status()
        rows += [
            {
                "model": options.model,
                "benchmark_id": benchmark_id,
                "item_id": item_id,
                "draw": draw,
                "target": target,
                "golds": golds,
                "completion": one["text"],
                "completion_token_ids": tokens(one["text"]),
                "target_token_ids": tokens(target),
            }
            for ((benchmark_id, item_id, target, golds, _, _), draw), one in zip(
                chunk, answer.json(), strict=True
            )
        ]
        print(f"{len(rows)} of {len(asked) * options.draws}", flush=True)
    pq.write_table(pa.Table.from_pylist(rows), OUTPUT, compression="zstd")


if __name__ == "__main__":
    main()
