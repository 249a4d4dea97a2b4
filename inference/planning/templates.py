"""Templates: texts of a declaration with `{...}` where a field of an item stands."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING

from inference.errors import DeclarationError

if TYPE_CHECKING:
    from inference.planning.declarations import Benchmark


def placeholders(key: str, template: str) -> set[str]:
    """Names between the braces of `template`, which is declared as `key`.

    Raises:
        ValueError: braces are unbalanced, or hold something else than the name of a field.
    """
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"{key} = {template!r} is no template: {error}") from error
    for _, name, form, conversion in parts:
        if not name or not name.isidentifier() or form or conversion:
            raise ValueError(f"{key} = {template!r} has braces that do not hold a field's name")
    return {name for _, name, _, _ in parts if name}


def check_fields(benchmark: Benchmark, fields: set[str]) -> None:
    """Return if items that have `fields` fill every template.

    Raises:
        DeclarationError: a template names another field; the message has file and key.
    """
    prompt, request = benchmark.prompt, benchmark.request
    known = fields | {"target"}
    # Worked examples have no context but their own.
    is_alone = request.kind == "contexts" and benchmark.few_shot.rule == "none"
    for key, template, more in (
        ("prompt.description", prompt.description, set()),
        ("prompt.item", prompt.item, {"context"} if is_alone else set()),
        ("prompt.shot", prompt.shot, set()),
        (
            "request.continuation",
            request.continuation,
            {"choice"} if request.kind == "choices" else set(),
        ),
    ):
        unknown = placeholders(key, template) - known - more
        if unknown:
            raise DeclarationError(
                f"{benchmark.folder / 'benchmark.toml'}: {key} names {', '.join(sorted(unknown))};"
                f" there are {', '.join(sorted(known | more))}"
            )
