"""What a run says of its requests before it asks them: `load` takes no answer to anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from inference.planning.requests import prompt_id
from tests.warehouse.test_checking import VALID
from warehouse.shard_files import SCHEMAS, write_shard

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from inference.planning.requests import Request


def write_plan(folder: Path, session_id: str, requests: Iterable[Request]) -> None:
    """Write the shards that a session begins with; its recorder's numbers come after these."""
    folder.mkdir(parents=True, exist_ok=True)
    asked = [
        VALID["request"][1]
        | {
            "request_id": one.request_id,
            "kind": one.kind,
            "continuations": list(one.continuations),
            "prompt_id": prompt_id(one.prompt),
            "prompt_text": one.prompt,
        }
        for one in requests
    ]
    item = VALID["item"][1] | {"choices": [str(number) for number in range(9)]}
    plan = {
        "session": [VALID["session"][1] | {"session_id": session_id}],
        "items": [item],
        "requests": asked,
    }
    for kind, rows in plan.items():
        table = pa.Table.from_pylist(rows, schema=SCHEMAS[kind])
        write_shard(folder, f"{session_id}-plan", 0, kind, table)
