"""Scores that dbt makes of real completions, and of hostile texts, are the references' numbers.

`completions.parquet` holds what a real small model wrote on the demonstration prompts
(`tests/sglang/completions.py`). EVALWH_COMPLETIONS names another raw store, a DuckDB file, whose
completions are scored as well: what is equal here should be equal anywhere.
"""

from __future__ import annotations

import os
import random
import re
import unicodedata
import warnings
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rouge_score import rouge_scorer
from sacrebleu import sentence_bleu

from inference.measuring.measure import measure
from tests.dbt_project import REPOSITORY, dbt_environment, run_dbt
from tests.warehouse import rules
from tests.warehouse.rules import adversarial_texts
from warehouse.builds import building_path
from warehouse.raw_store import open_raw_store

if TYPE_CHECKING:
    from collections.abc import Callable

ADVERSARIAL = 10_000

SLOW = ("bleu_nagisa",)
"""Cuts Japanese into words, some hundred texts a second: hostile ones by the tenth."""


class Sample:
    """A completion, and the item that it is scored against."""

    def __init__(
        self,
        completion: str,
        target: str,
        golds: list[str],
        completion_ids: list[int],
        target_ids: list[int],
    ) -> None:
        self.completion = completion
        self.target = target
        self.golds = golds
        self.completion_ids = completion_ids
        self.target_ids = target_ids


def nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def character_f1(sample: Sample) -> float:
    with warnings.catch_warnings():
        # Without python-Levenshtein it would warn, and give other numbers.
        warnings.simplefilter("error")
        from fuzzywuzzy import fuzz
    answer = rules.first_paragraph(sample.completion)
    return fuzz.token_sort_ratio(answer, nfkc(sample.target)) / 100


def any_alias(sample: Sample) -> float:
    answer = rules.alias_form(re.sub(r"\A ", "", sample.completion))
    return float(answer in {rules.alias_form(gold) for gold in sample.golds})


def squad2(sample: Sample, no_gold: list[str]) -> float:
    # Golds of which nothing is left are none, as in SQuAD's own evaluation.
    golds = {rules.squad_form(gold) for gold in sample.golds} - {""}
    return float(rules.squad_form(sample.completion) in (golds or set(no_gold)))


def last_number(sample: Sample) -> float:
    answer = rules.last_number(sample.completion)
    try:
        return float(float(answer) == float(sample.golds[0]))
    except (ValueError, IndexError):
        return 0.0


def gsm8k_strict(sample: Sample) -> float:
    answer = rules.plain_number(rules.number_after_hashes(sample.completion))
    return float(answer == rules.plain_number(sample.target))


class Identity:
    """Takes token ids, written down with spaces between, for the tokens."""

    def tokenize(self, text: str) -> list[str]:
        return text.split()


def rouge2(sample: Sample) -> float:
    scorer = rouge_scorer.RougeScorer(["rouge2"], tokenizer=Identity())
    target, completion = (
        " ".join(map(str, ids)) for ids in (sample.target_ids, sample.completion_ids)
    )
    return scorer.score(target, completion)["rouge2"].fmeasure


def bleu(sample: Sample) -> float:
    return sentence_bleu(sample.completion, [sample.target]).score / 100


def bleu_nagisa(sample: Sample) -> float:
    import nagisa

    completion, target = (
        " ".join(nagisa.tagging(text.strip()).words) for text in (sample.completion, sample.target)
    )
    return sentence_bleu(completion, [target]).score / 100


SCORERS: dict[str, Callable[[Sample], float]] = {
    "nfkc_exact_match": lambda one: float(
        rules.first_paragraph(one.completion) == nfkc(one.target)
    ),
    "character_f1": character_f1,
    "any_alias": any_alias,
    "squad2_exact": lambda one: squad2(one, [""]),
    "squad2_exact_with_unanswerable": lambda one: squad2(one, ["", "unanswerable"]),
    "last_number": last_number,
    "gsm8k_strict": gsm8k_strict,
    "the_answer_is": lambda one: float(rules.after_the_answer_is(one.completion) == one.target),
    "rouge2_of_tokens": rouge2,
    "bleu": bleu,
    "bleu_nagisa": bleu_nagisa,
}


def real_samples() -> list[Sample]:
    table = pq.read_table(REPOSITORY / "tests" / "warehouse" / "completions.parquet")
    samples = [
        Sample(
            row["completion"],
            row["target"],
            row["golds"],
            row["completion_token_ids"],
            row["target_token_ids"],
        )
        for row in table.to_pylist()
    ]
    elsewhere = os.environ.get("EVALWH_COMPLETIONS")
    if elsewhere:
        with duckdb.connect(elsewhere, read_only=True) as connection:
            rows = connection.execute(
                """
                select distinct completion_text, target, golds
                from raw.run_requests
                inner join raw.generations using (request_id)
                inner join raw.items using (item_hash)
                where purpose = 'answer'"""
            ).fetchall()
        samples += [Sample(*row, list(row[0].encode()), list(row[1].encode())) for row in rows]
    return samples


RIGHT: dict[str, Callable[[str], str]] = {
    "last_number": rules.last_number,
    "gsm8k_strict": lambda text: f"So.\n#### {rules.number_after_hashes(text)}",
    "the_answer_is": rules.after_the_answer_is,
}
"""Targets that make a completion right, by scorer; elsewhere the completion itself."""


def hostile_samples(scorer: str) -> list[Sample]:
    """Hostile texts, of which a third is right, or nearly."""
    generator = random.Random(21)
    completions = adversarial_texts(ADVERSARIAL, seed=22)
    others = adversarial_texts(ADVERSARIAL, seed=23)
    right = RIGHT.get(scorer, str)
    samples = []
    for completion, other in zip(completions, others, strict=True):
        target = right(completion if generator.random() < 0.3 else other)
        golds = [] if generator.random() < 0.1 else [target, other[:3]]
        ids = [[generator.randrange(5) for _ in range(generator.randrange(9))] for _ in range(2)]
        samples.append(Sample(completion, target, golds, *ids))
    return samples[::10] if scorer in SLOW else samples


pytestmark = pytest.mark.slow(seconds=40)


@pytest.fixture(scope="module")
def samples() -> dict[str, list[Sample]]:
    """By scorer, what it is to score."""
    real = real_samples()
    assert len({one.completion for one in real}) >= 2_000
    return {
        scorer: [
            one
            for one in real + hostile_samples(scorer)
            # An item without golds sets its run aside where the rule compares with them.
            if one.golds or scorer not in ("any_alias", "last_number")
        ]
        for scorer in SCORERS
    }


@pytest.fixture(scope="module")
def scored(
    samples: dict[str, list[Sample]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[float | None]]:
    """By scorer, the scores that dbt gives them."""
    directory = tmp_path_factory.mktemp("completions")
    store = directory / "generations.duckdb"
    with open_raw_store(store) as connection:
        connection.execute(
            """
            insert into raw.run_sessions by name
            select
                'run' as run_id, 'session' as session_id, 'real' as item_set,
                'reference' as protocol, 'model' as model_id, 'r' as model_revision,
                't' as tokenizer_id, []::varchar[] as benchmark_ids, []::varchar[] as endpoints,
                'none' as engine, '{}'::json as configuration, now() as started_at"""
        )
        connection.execute("insert into raw.prompts values ('p', 'the prompt')")
        for scorer, of_scorer in samples.items():
            connection.register("samples", _table(scorer, of_scorer))
            for statement in INSERTS:
                connection.execute(statement)
            connection.unregister("samples")
    measure(directory / "shards", store, lambda *_: None)
    environment = dbt_environment(directory)
    no_tests = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    build = run_dbt("build", "--select", "+fct_item_scores", *no_tests, env=environment)
    assert build.returncode == 0, build.stdout[-4_000:]
    with duckdb.connect(
        building_path(directory / "warehouse.duckdb"), read_only=True
    ) as connection:
        return {
            scorer: [
                score
                for (score,) in connection.execute(
                    "select score from marts.fct_item_scores where scorer_id = ?"
                    " order by item_id::integer",
                    [scorer],
                ).fetchall()
            ]
            for scorer in SCORERS
        }


INSERTS = (
    """
    insert into raw.items
    select request_id, 'real', scorer, i, i, '', i, '{}', target, golds, [], null from samples""",
    """
    insert into raw.requests
    select request_id, 'model', 'r', 't', 'generation', 'p', [], '{}', 0, null, 0 from samples""",
    """
    insert into raw.run_requests
    select 'run', scorer, '1', scorer, request_id, 0, 0, 'answer', request_id, target_ids
    from samples""",
    """
    insert into raw.answers
    select request_id, 'session', 'e', null, null, null, null, null, now() from samples""",
    """
    insert into raw.generations
    select request_id, completion, 'stop', completion_ids from samples""",
)


def _table(scorer: str, of_scorer: list[Sample]) -> pa.Table:
    return pa.table(
        {
            "scorer": [scorer] * len(of_scorer),
            "i": list(range(len(of_scorer))),
            "request_id": [f"{scorer} {i}" for i in range(len(of_scorer))],
            "completion": [one.completion for one in of_scorer],
            "target": [one.target for one in of_scorer],
            "golds": pa.array([one.golds for one in of_scorer], pa.list_(pa.string())),
            "completion_ids": pa.array(
                [one.completion_ids for one in of_scorer], pa.list_(pa.int32())
            ),
            "target_ids": pa.array([one.target_ids for one in of_scorer], pa.list_(pa.int32())),
        }
    )


@pytest.mark.parametrize("scorer", SCORERS)
def test_every_score_is_the_references(samples, scored, scorer):
    of_scorer, found = samples[scorer], scored[scorer]
    assert len(found) == len(of_scorer)
    expected = [SCORERS[scorer](one) for one in of_scorer]
    different = [
        (one.completion, one.target, one.golds, ours, theirs)
        for one, ours, theirs in zip(of_scorer, found, expected, strict=True)
        if ours is None or abs(ours - theirs) > 1e-9
    ]
    assert different == []
    # Nobody is equal by never being right.
    assert sum(score > 0 for score in expected) > 50
