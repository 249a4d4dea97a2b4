"""Programs: what models wrote in answer to HumanEval, put together with its tests and run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from inference.measuring.sandbox import Program, Sandbox, check_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference.measuring.sandbox import ProgramResult

MEASURE_VERSION = 1
"""Goes up with every change of what is run, or of how."""

STOP_WORDS = ("\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```", "<file_sep>")
"""Where bigcode-evaluation-harness cuts a completion off; servers were told so, too."""


def program_of(fields: dict[str, str], completion: str) -> str:
    """The text that the reference executes: the parts of `parts_of`, one after the other."""
    parts = parts_of(fields, completion)
    return parts.answer + parts.checks


def parts_of(fields: dict[str, str], completion: str) -> Program:
    """What is executed: prompt and completion, and apart from them the item's test and its call."""
    ends = [at for word in STOP_WORDS if (at := completion.find(word)) >= 0]
    completion = completion[: min(ends, default=len(completion))]
    entry_point = fields["entry_point"]
    return Program(
        given=fields["prompt"],
        answer=f"{fields['prompt']}{completion}\n\n",
        checks=f"{fields['test']}\ncheck({entry_point})",
        entry_point=entry_point,
    )


def outcomes(completions: Iterable[tuple[str, str]]) -> Iterator[ProgramResult]:
    """What became of each program; pairs of an item's fields, as JSON, and a completion.

    Raises:
        SandboxError: programs cannot be run safely on this machine.
    """
    check_sandbox()
    with Sandbox() as sandbox:
        yield from sandbox.run_all(
            parts_of(json.loads(fields), completion) for fields, completion in completions
        )
