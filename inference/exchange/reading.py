"""Reading: how logged samples are to be understood, which only all of a task's together tell.

Whether they are choices, whether a target is an index or a text, which of the logged metrics is a
score from 0 to 1, and so how they are scored here.
"""

from __future__ import annotations

import csv
import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inference.errors import SamplesFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.exchange.logged_samples import Form, GoldReading, LoggedSample

AS_LOGGED = "as_logged"
"""The scorer that takes the score that was logged."""

_SCORERS = Path(__file__).parents[2] / "warehouse" / "seeds" / "scorers.csv"


@dataclass(frozen=True, slots=True)
class Reading:
    """How the samples of a task are to be understood."""

    scorer: str
    main_metrics: dict[str, str | None]
    """By filter, the first metric that is a number from 0 to 1 in every sample."""
    gold: GoldReading | None
    """Null where the target is neither the index nor the text of a choice in every sample."""


@dataclass(slots=True)
class _Seen:
    """What the samples so far have in common."""

    forms: dict[Form, None] = field(default_factory=dict)
    metrics: dict[str, dict[str, None]] = field(default_factory=dict)
    """By filter, the metrics that are a number from 0 to 1 in all of them."""
    count: int = 0
    misread: dict[GoldReading, list[int]] = field(default_factory=lambda: {"index": [], "text": []})
    """By how the target is read, the lines that it does not fit."""
    documents: dict[str, tuple[bytes, set[str]]] = field(default_factory=dict)
    """By document, a hash of what was asked and answered, and the filters that had it."""

    def add(self, sample: LoggedSample) -> None:
        """Look at one more sample.

        Raises:
            ValueError: it contradicts one before it.
        """
        self.forms[sample.form] = None
        usable = [name for name, score in sample.scores.items() if score is not None]
        usable = [name for name in usable if 0 <= (sample.scores[name] or 0) <= 1]
        before = self.metrics.setdefault(sample.filter, dict.fromkeys(usable))
        self.metrics[sample.filter] = {name: None for name in before if name in usable}
        self.count += 1
        for reading, lines in self.misread.items():
            if not _agrees(sample, reading):
                lines.append(sample.line_number)
        content = repr((sample.doc, sample.target, sample.requests)).encode()
        digest = hashlib.blake2b(content, digest_size=16).digest()
        known, filters = self.documents.setdefault(sample.doc_id, (digest, set()))
        if sample.filter in filters:
            raise ValueError(f"document {sample.doc_id} was there already, of the same filter")
        if digest != known:
            raise ValueError(f"document {sample.doc_id} has another content than in a line before")
        filters.add(sample.filter)


def understand(samples: Iterable[LoggedSample], wanted: str, name: str) -> Reading:
    """How `samples` are to be understood, after a look at each.

    `wanted` is the scorer that somebody named, or empty; `name` stands in messages.

    Raises:
        SamplesFileError: there are none, they are not of one kind, they contradict one another, or
            the scorer cannot score them.
    """
    seen = _Seen()
    for sample in samples:
        try:
            seen.add(sample)
        except ValueError as error:
            raise SamplesFileError(f"{name}, line {sample.line_number}: {error}") from error
    if not seen.forms:
        raise SamplesFileError(f"{name} is empty")
    if len(seen.forms) > 1:
        raise SamplesFileError(f"{name} has samples of several forms: {', '.join(seen.forms)}")
    (form,) = seen.forms
    gold, misread = min(seen.misread.items(), key=lambda one: len(one[1]))
    if form == "choices" and not wanted and 0 < len(misread) < seen.count / 2:
        raise SamplesFileError(
            f"{name}, line {misread[0]}: the target is not the {gold} of a choice that gives the"
            f" acc that was logged, as in {seen.count - len(misread)} of {seen.count} lines; mend"
            f" the line, or take all scores as they were logged with --scorer TASK={AS_LOGGED}"
        )
    main_metrics = {
        filter_name: next(iter(metrics), None) for filter_name, metrics in seen.metrics.items()
    }
    if wanted not in ("", AS_LOGGED):
        known = completion_scorers()
        if form != "generation" or wanted not in known:
            raise SamplesFileError(
                f"{name}: {wanted!r} cannot score samples of the form {form};"
                f" completions can be scored by {', '.join(known)}, and anything {AS_LOGGED}"
            )
    scorer = "most_likely_choice" if form == "choices" and not misread else AS_LOGGED
    return Reading(wanted or scorer, main_metrics, None if misread else gold)


def _agrees(sample: LoggedSample, reading: GoldReading) -> bool:
    """Whether the target, so read, gives the accuracy that was logged.

    The harness writes an index and a text alike, so only this tells them apart.
    """
    gold = sample.gold_index(reading)
    if gold is None:
        return False
    values = sample.choice_log_likelihoods
    if any(math.isnan(value) for value in values):
        # Such a sample is not scored.
        return True
    logged = sample.scores.get("acc")
    return logged is None or logged == float(values.index(max(values)) == gold)


def completion_scorers() -> list[str]:
    """The scorers of this project that take a completion."""
    with _SCORERS.open(encoding="utf-8", newline="") as rows:
        return [
            row["scorer_id"]
            for row in csv.DictReader(rows)
            if row["scorer_kind"] in ("answer", "translation")
        ]
