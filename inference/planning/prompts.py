"""Prompts: the text that a model is given for an item."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from inference.errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inference.planning.declarations import Benchmark
    from inference.planning.items import Item
    from inference.planning.tokenizers import Tokenizer


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
    tokenizer: Tokenizer,
    context_length: int,
) -> tuple[Item, list[Item]]:
    """Item and shots with articles cut at sentence ends, when prompt and summary do not fit.

    The rule of the reference's XL-Sum (lm_eval/tasks/ja/xlsum_ja.py, preprocess_ctx): the
    summary and ten tokens are kept free; if the prompt needs more, every article has an equal
    share of the rest, in which `PREFIX` is counted, and is cut after the last "。" within it. An
    article that fits its share stays as it is.
    """
    text = prompt_prefix(benchmark, item, shots) + item_text(benchmark, item)
    allowed = context_length - (tokenizer.count(item.target) + 10)
    if tokenizer.count(text) <= allowed:
        return item, list(shots)
    share = allowed // (len(shots) + 1)
    cut = [_shortened(article, tokenizer, share) for article in (*shots, item)]
    return cut[-1], cut[:-1]


PREFIX = "ニュース記事:"
"""What stands before an article; it counts as part of its first sentence."""


def _shortened(item: Item, tokenizer: Tokenizer, share: int) -> Item:
    """The item with as many sentences as have `share` tokens, or the beginning of its first."""
    # The line break that follows the article counts as part of its last sentence.
    first, *others = f"{PREFIX}{item.fields['text']}\n".split("。")
    if tokenizer.count(first) > share:
        kept = tokenizer.decode(tokenizer.encode(first, special_tokens=False)[:share])
        return _with_article(item, kept)
    kept = first
    for sentence in others:
        # The "。" that ends a sentence is counted with the next one.
        if tokenizer.count(f"{kept}。{sentence}") > share:
            return _with_article(item, f"{kept}。")
        kept = f"{kept}。{sentence}"
    return item


def _with_article(item: Item, prefixed: str) -> Item:
    return dataclasses.replace(item, fields={**item.fields, "text": prefixed.removeprefix(PREFIX)})
