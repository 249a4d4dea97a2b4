"""lm-eval samples: the files that lm-evaluation-harness's `--log_samples` writes.

`samples_<task>_<time>.jsonl` has a line per document and filter; `results_<time>.json` beside it
says which model answered.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from inference.errors import SamplesFileError
from inference.exchange.lm_eval_kept import (
    as_pairs,
    kept_invocation,
    kept_task,
    without_credentials,
)
from inference.exchange.lm_eval_lines import logged_sample
from warehouse.records import ANY_CLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.exchange.logged_samples import LoggedSample

HARNESS = "lm-evaluation-harness"

FILE_NAME = re.compile(
    r"samples_(?P<task>.+)_"
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}(\.[0-9]+)?)\.jsonl"
)

_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""What half a character looks like in JSON; most are one of two, which make a whole one."""


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
        named = as_pairs(self._result("config", "model_args"))
        names = (self._result("model_name"), named.get("pretrained"), named.get("model"))
        return next(
            (without_credentials(name) for name in names if name and isinstance(name, str)), None
        )

    @property
    def model_revision(self) -> str | None:
        """The model's commit, by the results; null where they do not say."""
        marks = (self._result("config", "model_sha"), self._result("config", "model_revision"))
        return next(
            (without_credentials(mark) for mark in marks if mark and isinstance(mark, str)), None
        )

    @property
    def task_version(self) -> str:
        """Version of the task, by the results; empty where they do not say."""
        return _written(self._result("versions", self.task)) or ""

    @property
    def harness_version(self) -> str | None:
        """Version of lm-evaluation-harness, by the results; null where they do not say."""
        return _written(self._result("lm_eval_version"))

    @property
    def invocation(self) -> str:
        """How the harness was called, as far as it is kept, an object in JSON; it may be empty."""
        return json.dumps(kept_invocation(self._result("config")), ensure_ascii=False)

    @property
    def task_configuration(self) -> str:
        """How the task is declared, as far as it is kept, an object in JSON; it may be empty."""
        return json.dumps(kept_task(self._result("configs", self.task)), ensure_ascii=False)

    def _result(self, *keys: str) -> Any:
        """What stands at these nested keys of the results; null for nothing."""
        value: Any = self.results
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def open_samples(path: Path) -> SamplesFile:
    """The file at `path` and the results beside it.

    Raises:
        SamplesFileError: its name is not one that the harness gives, it or the results are no
            regular file, or the results are no object in JSON.
    """
    match = FILE_NAME.fullmatch(path.name)
    if match is None:
        raise SamplesFileError(
            f"{path} is not named samples_<task>_<time>.jsonl, as lm-evaluation-harness names what"
            " `--log_samples` writes; the task is known by that name only"
        )
    day, _, time = match["time"].partition("T")
    try:
        logged_at = datetime.fromisoformat(f"{day}T{time.replace('-', ':')}").replace(tzinfo=UTC)
    except ValueError as error:
        raise SamplesFileError(f"{path} has a name with no time in it: {error}") from error
    first, last = (
        datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (ANY_CLOCK.first, ANY_CLOCK.last)
    )
    if not first <= logged_at <= last:
        raise SamplesFileError(
            f"{path} has a time in its name that is not from {ANY_CLOCK.first} to {ANY_CLOCK.last},"
            " as those of records are; give the file the time at which it was logged"
        )
    _check_regular(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    results_path = path.with_name(f"results_{match['time']}.json")
    results: Any = {}
    if results_path.exists():
        _check_regular(results_path)
        results = _read_json(results_path.read_bytes(), str(results_path))
        if not isinstance(results, dict):
            raise SamplesFileError(f"{results_path} is no object of JSON")
    return SamplesFile(path, match["task"], logged_at, digest, results)


def read_samples(file: SamplesFile) -> Iterator[LoggedSample]:
    """The lines of the file, in its order.

    Raises:
        SamplesFileError: a line is no JSON, lacks something, or is of a kind that is not known;
            the message names it.
    """
    with file.path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{file.path}, line {number}"
            values = _read_json(line, where)
            try:
                yield logged_sample(values, number)
            except KeyError as error:
                raise SamplesFileError(f"{where} has no {error}") from error
            except (
                ValueError,
                TypeError,
                AttributeError,
                IndexError,
                OverflowError,
                RecursionError,
            ) as error:
                raise SamplesFileError(
                    f"{where} is not shaped like a logged sample: {error}"
                ) from error


def _check_regular(path: Path) -> None:
    # Whoever opens a pipe waits for somebody to write into it.
    if path.exists() and not path.is_file():
        raise SamplesFileError(f"{path} is no regular file")


def _read_json(content: bytes, where: str) -> Any:
    try:
        text = content.decode()
        values = json.loads(text)
        if _HALF_CHARACTER.search(text):
            json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise SamplesFileError(
            f"{where} has half a character ({error.object[error.start]!a}), which is no text"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SamplesFileError(f"{where} is no JSON: {error}") from error
    return values


def _written(version: Any) -> str | None:
    return without_credentials(str(version)) if isinstance(version, str | int | float) else None
