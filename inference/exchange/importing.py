"""Importing: samples that lm-evaluation-harness logged, into the raw store as runs of their own.

They are marked `item_set = 'imported'` and enter no benchmark score. Choices are scored here from
their log-likelihoods. A completion keeps the score that was logged, or is scored by a scorer of
this project that the caller names; what was logged stays beside it, for comparison.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.errors import SamplesFileError
from inference.exchange.lm_eval_samples import FILE_NAME, HARNESS, open_samples, read_samples
from inference.exchange.reading import AS_LOGGED, completion_scorers, understand
from inference.exchange.sample_shards import LoggedRun, hash_of, write_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Imported:
    """What one file gave."""

    run_id: str
    task: str
    scorer: str
    item_counts: dict[str, int]
    """By benchmark: the task; and its filter, where the scores of several were taken as logged."""


def check_scorers(scorers: Mapping[str, str], files: Iterable[Path]) -> None:
    """Return if each scorer that is named for a task can be used.

    Raises:
        SamplesFileError: none of the files is of the task, or there is no such scorer.
    """
    names = [named["task"] for file in files if (named := FILE_NAME.fullmatch(file.name))]
    known = [*completion_scorers(), AS_LOGGED]
    for task, scorer in scorers.items():
        if task not in names:
            raise SamplesFileError(
                f"--scorer {task}={scorer}: no task {task!r} was imported, and nothing else; the"
                f" files are of {', '.join(sorted(set(names))) or 'none'}"
            )
        if scorer not in known:
            raise SamplesFileError(
                f"--scorer {task}={scorer}: there is no scorer {scorer!r} of completions; there"
                f" are {', '.join(known)}"
            )


def sample_files(
    paths: Iterable[Path], on_missing: Callable[[SamplesFileError], None] | None = None
) -> list[Path]:
    """The files that are named, and those in folders that are named, however deep.

    `on_missing` is told of what is not there, if it is given.

    Raises:
        SamplesFileError: there is no such file, or nothing to import in a folder.
    """

    def missing(message: str) -> None:
        if on_missing is None:
            raise SamplesFileError(message)
        on_missing(SamplesFileError(message))

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file for file in path.rglob("samples_*.jsonl") if FILE_NAME.fullmatch(file.name)
            )
            if not inside:
                missing(f"{path} has no files named samples_<task>_<time>.jsonl")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            missing(f"there is no {path}")
    return list(dict.fromkeys(found))


def import_samples(
    path: Path,
    shards: Path,
    *,
    model_id: str | None = None,
    revision: str | None = None,
    scorers: Mapping[str, str] | None = None,
) -> Imported:
    """Write the shards of one file of logged samples; `load` brings them into the raw store.

    All of them or none: they are a set, which is loaded in one transaction.

    A file is a run. Its name is a hash of model, revision, task, scorer and the file's bytes, not
    of the file's name or its time: the same log again adds nothing, wherever it was copied to, and
    a log with anything else in it is another run, which cannot get into the way of the first.

    `scorers` are by task, for completions only. Null `model_id` and `revision` are what the results
    beside the file say.

    Raises:
        SamplesFileError: the file cannot be read, nobody says which model answered, or the scorer
            is not one for completions.
        DiskError: the shards cannot be written; none is left.
    """
    try:
        file = open_samples(path)
    except OSError as error:
        raise SamplesFileError(f"{path} cannot be read ({error.strerror})") from error
    model = model_id or file.model_name
    if model is None:
        raise SamplesFileError(
            f"{path} does not say which model answered, and no results_<time>.json beside it does;"
            " name the model with --model"
        )
    known_revision = revision or file.model_revision or "unknown"
    for text in (file.task, model, known_revision):
        if not _is_text(text):
            raise SamplesFileError(f"{path!a}: {text!a} is no text in UTF-8")
    reading = understand(read_samples(file), (scorers or {}).get(file.task, ""), str(path))
    name = hash_of(model, known_revision, file.task, reading.scorer, file.digest)[:16]
    has_scores_by_filter = reading.scorer == AS_LOGGED and len(reading.main_metrics) > 1
    run = LoggedRun(
        run_id=f"{re.sub(r'[^A-Za-z0-9_-]+', '_', model)}-lm-eval-{name}",
        session_id=f"lm-eval-{name}",
        engine=HARNESS,
        engine_version=file.harness_version,
        model_id=model,
        model_revision=known_revision,
        task=file.task,
        task_version=file.task_version,
        invocation=file.invocation,
        configuration=file.task_configuration,
        logged_at=file.logged_at,
        digest=file.digest,
        reading=reading,
        benchmark_ids={
            filter_name: f"{file.task}/{filter_name}" if has_scores_by_filter else file.task
            for filter_name in reading.main_metrics
        },
    )
    items = write_samples(run, read_samples(file), shards)
    counts = {benchmark_id: len(hashes) for benchmark_id, hashes in items.items()}
    return Imported(run.run_id, file.task, reading.scorer, counts)


def _is_text(text: str) -> bool:
    """False where a name of the file system or the shell has bytes that are none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
