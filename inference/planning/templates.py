"""Templates: texts of a declaration with `{...}` where a field of an item stands."""

from __future__ import annotations

from string import Formatter


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
