"""What is accepted from a server is what `load` accepts: the same rules, before it is written."""

from __future__ import annotations

import asyncio
import dataclasses
import math

import pyarrow as pa
import pytest

from inference.asking.accepting import ShardRules
from inference.asking.client import Answer, Failure
from inference.asking.recording import Recorder, answer_columns
from tests.inference.asking.test_client import generation, weighing
from warehouse.checking import rules
from warehouse.loading import load
from warehouse.records import HIGHEST_LOG_LIKELIHOOD
from warehouse.shard_files import SCHEMAS

COMPLETED = Answer(
    generation("a", 1), "http://127.0.0.1:1", 1, 0.5, 3, 2, 0, completion="yes", stop_reason="stop"
)
WEIGHED = Answer(
    weighing("b", (1,), (2, 3), (4,)),
    "http://127.0.0.1:1",
    1,
    0.5,
    3,
    2,
    None,
    log_likelihoods=(-1.0, -math.inf),
    token_counts=(2, 1),
)

BROKEN = [
    dataclasses.replace(COMPLETED, input_token_count=-1),
    dataclasses.replace(COMPLETED, output_token_count=2**31),
    dataclasses.replace(COMPLETED, cached_token_count=2**62),
    dataclasses.replace(COMPLETED, latency_seconds=math.nan),
    dataclasses.replace(COMPLETED, latency_seconds=math.inf),
    dataclasses.replace(COMPLETED, completion=None),
    dataclasses.replace(COMPLETED, stop_reason="None"),
    dataclasses.replace(WEIGHED, log_likelihoods=(-1.0, 2 * HIGHEST_LOG_LIKELIHOOD)),
    dataclasses.replace(WEIGHED, log_likelihoods=(math.nan, -1.0)),
    dataclasses.replace(WEIGHED, log_likelihoods=(-1.0,)),
    dataclasses.replace(WEIGHED, log_likelihoods=()),
    dataclasses.replace(WEIGHED, token_counts=(2, 0)),
]


def table(answers):
    return pa.table(answer_columns(answers, "session", {}), schema=SCHEMAS["answers"])


def test_what_keeps_the_rules_is_accepted():
    assert ShardRules("answers").broken_rows(table([COMPLETED, WEIGHED])) == {}


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_what_breaks_a_rule_is_a_failure_with_its_reason_and_the_others_count(tmp_path, broken):
    results = []
    recorder = Recorder(tmp_path, "session", on_acknowledged=results.extend)
    for answer in (COMPLETED, broken, WEIGHED):
        recorder.add(answer)
    asyncio.run(recorder.flush())
    answers = [one for one in results if isinstance(one, Answer)]
    (failure,) = (one for one in results if isinstance(one, Failure))
    assert answers == [COMPLETED, WEIGHED]
    assert failure.request == broken.request
    sentence = failure.error.partition(", but ")[2]
    assert sentence in {rule.sentence for rule in rules("answers")}
    # `load` has nothing to refuse.
    assert not load(tmp_path, tmp_path / "store.duckdb").damaged
