"""lm-eval samples: what lm-evaluation-harness logged of a task, as its `--log_samples` writes it.

`samples_<task>_<time>.jsonl` has a line per document and filter, with everything but the document
itself turned into text; `results_<time>.json` beside it says which model answered. Written since
version 0.4; the shapes were taken from files that 0.4.13 wrote.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from inference.errors import SamplesFileError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_NAME = re.compile(
    r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(\.\d+)?)\.jsonl"
)

KNOWN_KEYS = {
    "doc_id",
    "doc",
    "target",
    "arguments",
    "resps",
    "filtered_resps",
    "filter",
    "metrics",
    "doc_hash",
    "prompt_hash",
    "target_hash",
}
"""Keys of a line that are no metric; early versions do not list the metrics."""

Form = Literal["generation", "choices", "contexts", "single"]
"""generation: texts to complete. choices: continuations of one context. contexts: contexts of one
continuation. single: one continuation, which is not chosen but weighed."""


@dataclass(frozen=True, slots=True)
class SamplesFile:
    """A file of logged samples, and what stands beside it."""

    path: Path
    task: str
    logged_at: datetime
    """By the name of the file, in which the harness gives no time zone: taken for UTC."""
    digest: str
    """sha256 of its bytes, hexadecimal."""
    results: dict[str, Any]
    """What results_<time>.json says; empty where there is no such file."""

    @property
    def model_name(self) -> str | None:
        """The model that answered, by the results; null where they do not say."""
        arguments = self.results.get("config", {}).get("model_args") or {}
        named = arguments if isinstance(arguments, dict) else {}
        return self.results.get("model_name") or named.get("pretrained") or named.get("model")

    @property
    def model_revision(self) -> str | None:
        """The model's commit, by the results; null where they do not say."""
        config = self.results.get("config", {})
        return config.get("model_sha") or config.get("model_revision") or None

    @property
    def task_version(self) -> str:
        """Version of the task, by the results; empty where they do not say."""
        return str(self.results.get("versions", {}).get(self.task, ""))

    @property
    def harness_version(self) -> str | None:
        """Version of lm-evaluation-harness, by the results; null where they do not say."""
        return self.results.get("lm_eval_version")


@dataclass(frozen=True, slots=True)
class LoggedSample:
    """A line: one document, as one filter left it."""

    doc_id: str
    doc: dict[str, Any]
    target: str
    form: Form
    contexts: tuple[str, ...]
    """One, or one per choice where the contexts are what is chosen."""
    continuations: tuple[str, ...]
    """Empty for a generation."""
    unconditional: tuple[str, ...]
    """Choices that were weighed without the question, too (for acc_mutual_info)."""
    decoding: dict[str, Any]
    """As the harness was told; empty for log-likelihoods."""
    completions: tuple[str, ...]
    """One per repeat; empty for log-likelihoods."""
    log_likelihoods: tuple[float, ...]
    """One per choice, then one per unconditional one, in nats; may be infinite or not a number."""
    answer: str | None
    """What the filter made of the completion; null for log-likelihoods."""
    filter: str
    scores: dict[str, float | None]
    """By metric; null where the harness logged something that is no number (BLEU's pair)."""

    @property
    def golds(self) -> tuple[str, ...]:
        """The target, or the texts that a target of several was written down from."""
        if self.target.startswith("["):
            try:
                values = ast.literal_eval(self.target)
            except (ValueError, SyntaxError):
                return (self.target,)
            if isinstance(values, list) and all(isinstance(value, str) for value in values):
                return tuple(values)
        return (self.target,)

    def gold_index(self, reading: Literal["index", "text"]) -> int | None:
        """Index of the right choice when the target is read as an index or as a choice's text.

        Null where it is neither. The harness turns both into text before it writes them.
        """
        if self.form != "choices":
            return None
        if reading == "index":
            is_index = re.fullmatch(r"\d+", self.target) is not None
            index = int(self.target) if is_index else -1
            return index if 0 <= index < len(self.continuations) else None
        texts = [text.strip() for text in self.continuations]
        target = self.target.strip()
        return texts.index(target) if texts.count(target) == 1 else None

    @property
    def most_likely(self) -> int:
        """Index of the most likely choice, the first of equals."""
        values = self.log_likelihoods[: len(self.continuations)]
        return values.index(max(values))


def open_samples(path: Path) -> SamplesFile:
    """The file at `path` and the results beside it.

    Raises:
        SamplesFileError: its name is not one that the harness gives, or the results are no JSON.
    """
    match = FILE_NAME.fullmatch(path.name)
    if match is None:
        raise SamplesFileError(
            f"{path} is not named samples_<task>_<time>.jsonl, as lm-evaluation-harness names what"
            " `--log_samples` writes; the task is known by that name only"
        )
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    results_path = path.with_name(f"results_{match['time']}.json")
    results: dict[str, Any] = {}
    if results_path.exists():
        try:
            results = json.loads(results_path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SamplesFileError(f"{results_path} is no JSON: {error}") from error
    day, _, time = match["time"].partition("T")
    logged_at = datetime.fromisoformat(f"{day}T{time.replace('-', ':')}").replace(tzinfo=UTC)
    return SamplesFile(path, match["task"], logged_at, digest.hexdigest(), results)


def read_samples(file: SamplesFile) -> Iterator[LoggedSample]:
    """The lines of the file, in its order.

    Raises:
        SamplesFileError: a line is no JSON, lacks something, or is of a kind that is not known;
            the message names it.
    """
    with file.path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{file.path}, line {number}"
            try:
                values = json.loads(line)
            except ValueError as error:
                raise SamplesFileError(f"{where} is no JSON: {error}") from error
            try:
                yield _sample(values)
            except KeyError as error:
                raise SamplesFileError(f"{where} has no {error}") from error
            except (TypeError, ValueError, AttributeError, IndexError) as error:
                raise SamplesFileError(
                    f"{where} is not shaped like a logged sample: {error}"
                ) from error


def _sample(values: dict[str, Any]) -> LoggedSample:
    arguments = _arguments(values["arguments"])
    responses = values["resps"]
    if len(arguments) != len(responses) or not arguments:
        raise ValueError(f"{len(arguments)} arguments have {len(responses)} responses")
    contexts = [argument[0] for argument in arguments]
    seconds: list[Any] = [argument[1] if len(argument) > 1 else None for argument in arguments]
    common: dict[str, Any] = {
        "doc_id": str(values["doc_id"]),
        "doc": values["doc"],
        "target": str(values["target"]),
        "filter": values.get("filter", "none"),
        "scores": {
            name: _number(values[name])
            for name in values.get("metrics") or [key for key in values if key not in KNOWN_KEYS]
        },
    }
    if isinstance(seconds[0], dict):
        if len(arguments) > 1:
            raise ValueError("several texts to complete for one document")
        return LoggedSample(
            **common,
            form="generation",
            contexts=(str(contexts[0]),),
            continuations=(),
            unconditional=(),
            decoding=seconds[0],
            completions=tuple(str(text) for text in responses[0]),
            log_likelihoods=(),
            answer=_text(values["filtered_resps"]),
        )
    if not all(isinstance(second, str) for second in seconds):
        raise ValueError(
            "neither a text to complete nor continuations to weigh (rolling log-likelihoods, of"
            " which perplexities are made, cannot be imported)"
        )
    # For acc_mutual_info the choices are weighed a second time, after nothing.
    half = len(contexts) // 2
    is_doubled = (
        half > 0
        and seconds[:half] == seconds[half:]
        and not any(contexts[half:])
        and any(contexts[:half])
    )
    kept = half if is_doubled else len(contexts)
    form: Form = "single"
    if kept > 1:
        form = "choices" if len(set(contexts[:kept])) == 1 else "contexts"
        if form == "contexts" and len(set(seconds[:kept])) > 1:
            raise ValueError("both the contexts and the continuations differ")
    return LoggedSample(
        **common,
        form=form,
        contexts=tuple(contexts[:1] if form == "choices" else contexts[:kept]),
        continuations=tuple(seconds[:kept] if form == "choices" else seconds[:1]),
        unconditional=tuple(seconds[kept:]),
        decoding={},
        completions=(),
        log_likelihoods=tuple(float(response[0][0]) for response in responses),
        answer=None,
    )


def _arguments(values: Any) -> list[list[Any]]:
    """Arguments as lists: files have {"gen_args_0": {"arg_0": ..., "arg_1": ...}, ...}."""
    if isinstance(values, dict):
        values = [values[f"gen_args_{index}"] for index in range(len(values))]
    return [
        [value[f"arg_{index}"] for index in range(len(value))] if isinstance(value, dict) else value
        for value in values
    ]


def _text(filtered: Any) -> str:
    while isinstance(filtered, list) and filtered:
        filtered = filtered[0]
    return str(filtered)


def _number(value: Any) -> float | None:
    if not isinstance(value, bool | int | float) or math.isnan(value):
        return None
    return float(value)
