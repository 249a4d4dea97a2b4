"""Prompts: the text that a model is given for an item."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from inference.errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference.planning.declarations import Benchmark
    from inference.planning.items import Item


def prompt_prefix(benchmark: Benchmark, item: Item, shots: Sequence[Item]) -> str:
    """What stands before the item: description and worked examples."""
    prompt = benchmark.prompt
    parts = [filled(prompt.description, item, benchmark)]
    for shot in shots:
        parts += [
            filled(prompt.item, shot, benchmark),
            filled(prompt.shot, shot, benchmark),
            prompt.separator,
        ]
    return "".join(parts)


def item_text(benchmark: Benchmark, item: Item) -> str:
    """The item as it stands at the end of its prompt, without an answer."""
    return filled(benchmark.prompt.item, item, benchmark)


def filled(template: str, item: Item, benchmark: Benchmark, **more: str) -> str:
    """`template` with the item's fields and target in the place of `{...}`.

    Braces within a field stay as they are.

    Raises:
        DeclarationError: the template names a field that the items do not have.
    """
    try:
        return template.format_map({**item.fields, "target": item.target, **more})
    except (KeyError, IndexError, ValueError) as error:
        raise DeclarationError(
            f"{benchmark.folder / 'benchmark.toml'}: the template {template!r} does not fit item"
            f" {item.item_id!r} with the fields {sorted(item.fields)}: {error!r}"
        ) from error


def shortened_articles(
    benchmark: Benchmark,
    item: Item,
    shots: Sequence[Item],
    count_tokens: Callable[[str], int],
    context_length: int,
) -> tuple[Item, list[Item]]:
    """Item and shots with articles cut at sentence ends, when prompt and summary do not fit.

    The rule of the reference's XL-Sum: the summary and ten tokens are kept free; if the prompt
    needs more, every article is cut after the last "。" at which it has no more than an equal
    share of the context.
    """
    text = prompt_prefix(benchmark, item, shots) + item_text(benchmark, item)
    allowed = context_length - (count_tokens(item.target) + 10)
    if count_tokens(text) <= allowed:
        return item, list(shots)
    share = context_length // (len(shots) + 1)
    cut = [_shortened(article, count_tokens, share) for article in (*shots, item)]
    return cut[-1], cut[:-1]


def _shortened(item: Item, count_tokens: Callable[[str], int], allowed: int) -> Item:
    text = item.fields["text"]
    sentences = [sentence + "。" for sentence in text.split("。") if sentence]
    kept = ""
    for sentence in sentences:
        if count_tokens(kept + sentence) > allowed:
            break
        kept += sentence
    return dataclasses.replace(item, fields={**item.fields, "text": kept})
