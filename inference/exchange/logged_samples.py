"""Logged samples: what a harness asked, what came back and what it made of it.

A format's reader makes these of its files, and the raw store's shards are made of them: neither
knows of the other.
"""

from __future__ import annotations

import ast
import math
import re
from dataclasses import dataclass
from typing import Literal

from warehouse.records import LOWEST_LOG_LIKELIHOOD

Form = Literal["generation", "choices", "contexts", "single"]
"""generation: texts to complete. choices: continuations of one context. contexts: contexts of one
continuation. single: one continuation, which is not chosen but weighed."""

GoldReading = Literal["index", "text"]
"""What the target is: the index of the right choice, or its text."""

NO_FILTER = "none"
"""The filter of samples that none was applied to."""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One thing that was asked, and what came back."""

    prompt: str
    continuations: tuple[str, ...] = ()
    """What was weighed after the prompt; empty for a generation."""
    decoding: str = "{}"
    """As the harness was told, an object in JSON; empty for log-likelihoods."""
    purpose: Literal["answer", "unconditional"] = "answer"
    """unconditional: choices that were weighed without the question, too (for acc_mutual_info)."""
    variant_index: int = 0
    """Which context, where the contexts are what is chosen."""
    sample_index: int = 0
    completion: str | None = None
    """Null for log-likelihoods, and where none was logged."""
    log_likelihoods: tuple[float, ...] = ()
    """One per continuation, in nats; minus infinity is no mass at all. May not be a number."""

    @property
    def failure(self) -> str | None:
        """Why this has no answer; null where it has."""
        if not self.continuations:
            return None if self.completion is not None else "no completion was logged"
        if not all(
            value == -math.inf or LOWEST_LOG_LIKELIHOOD <= value < math.inf
            for value in self.log_likelihoods
        ):
            return f"log-likelihoods were logged as {self.log_likelihoods}"
        return None


@dataclass(frozen=True, slots=True)
class LoggedSample:
    """One document, as one filter left it."""

    line_number: int
    """Where it is in its file, from 1."""
    doc_id: str
    doc: str
    """The document, in JSON."""
    target: str
    form: Form
    choices: tuple[str, ...]
    """Continuations, or contexts, to choose from; empty for a generation."""
    requests: tuple[LoggedRequest, ...]
    """One per repeat for a generation, one per context for others, and the unconditional one."""
    filter: str
    answer: str | None
    """What the filter made of the completion; null for log-likelihoods."""
    scores: dict[str, float | None]
    """By metric, of any range; null where something was logged that is no number."""

    @property
    def golds(self) -> tuple[str, ...]:
        """The target, or the texts that a target of several was written down from."""
        if self.target.startswith("["):
            try:
                values = ast.literal_eval(self.target)
                if isinstance(values, list) and all(isinstance(value, str) for value in values):
                    # An escape may stand for half a character, which is no text.
                    "".join(values).encode()
                    return tuple(values)
            # What `ast.literal_eval` says that it raises.
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                pass
        return (self.target,)

    @property
    def choice_log_likelihoods(self) -> tuple[float, ...]:
        """One per choice; empty for a generation."""
        answers = (request for request in self.requests if request.purpose == "answer")
        return tuple(value for request in answers for value in request.log_likelihoods)

    def gold_index(self, reading: GoldReading) -> int | None:
        """Index of the right choice when the target is read as an index or as a choice's text.

        Null where it is neither. A harness that turns both into text says not which it was.
        """
        if self.form != "choices":
            return None
        if reading == "index":
            is_index = re.fullmatch(r"[0-9]{1,9}", self.target) is not None
            index = int(self.target) if is_index else -1
            return index if 0 <= index < len(self.choices) else None
        texts = [text.strip() for text in self.choices]
        target = self.target.strip()
        return texts.index(target) if texts.count(target) == 1 else None
