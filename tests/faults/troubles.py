"""Troubles: what a disturbance may do to the store, one trial, and the table of all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

Trouble = Literal[
    "lost",
    "doubled",
    "blocked",
    "traceback",
    "left behind",
    "unsaid",
    "unreadable",
]
"""lost: a row that an undisturbed run has is not there at the end.
doubled: a row is there that an undisturbed run does not have, or was asked for twice.
blocked: a command does not end in time, or the same command fails once the disturbance is over.
traceback: a command ends with a traceback, or crashes.
left behind: temporary files or processes stay.
unsaid: a command that could not do its work exits with 0, or does not name what was damaged.
unreadable: a reader cannot open what was published."""

TROUBLES: tuple[Trouble, ...] = get_args(Trouble)


@dataclass(slots=True)
class Trial:
    """One disturbance of one job, and what came of it."""

    kind: str
    job: str
    disturbance: str
    troubles: dict[Trouble, str] = field(default_factory=dict)
    message: str = ""
    """What the disturbed command said last, if it could say anything."""
    was_disturbed: bool = True
    """False where the job was over before the disturbance came."""

    def add(self, trouble: Trouble, detail: str) -> None:
        """Note a trouble; the first of its kind is kept."""
        self.troubles.setdefault(trouble, detail)

    def __str__(self) -> str:
        found = "; ".join(f"{name.upper()}: {detail}" for name, detail in self.troubles.items())
        return f"{self.kind}, {self.job}, {self.disturbance}: {found or 'as it should be'}"


def table(trials: Iterable[Trial]) -> str:
    """The trials as a table in Markdown: a row per kind and job."""
    groups: defaultdict[tuple[str, str], list[Trial]] = defaultdict(list)
    for trial in trials:
        groups[trial.kind, trial.job].append(trial)
    heads = ("disturbance", "of", "tried", "hit", *TROUBLES, "for instance")
    rows = [heads, tuple("---" for _ in heads)]
    for (kind, job), ones in groups.items():
        messages = [one.message for one in ones if one.message]
        rows.append((kind, job, *_counts(ones), _cell(max(messages, key=len, default=""))))
    everything = [one for ones in groups.values() for one in ones]
    rows.append(("all", "", *_counts(everything), ""))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _counts(trials: list[Trial]) -> list[str]:
    hit = sum(trial.was_disturbed for trial in trials)
    found = [sum(trouble in trial.troubles for trial in trials) for trouble in TROUBLES]
    return [str(count) for count in (len(trials), hit, *found)]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:200]
