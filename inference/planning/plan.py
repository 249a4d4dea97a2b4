"""Planning: the requests that a benchmark needs of a model, in the order in which to send them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from inference.errors import ItemsError, TokenizerError
from inference.planning import few_shot
from inference.planning.prompts import filled, item_text, prompt_prefix, shortened_articles
from inference.planning.requests import Request, Sampling, Sequence, request_id

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator

    from inference.planning.declarations import Benchmark
    from inference.planning.items import Item, Items
    from inference.planning.requests import Model
    from inference.planning.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked: a model with its tokenizer and the length of its context."""

    model: Model
    tokenizer: Tokenizer
    context_length: int
    """Tokens of prompt and completion together."""
    input_limit: int
    """Tokens of a prompt that the server takes."""
    model_type: str | None
    """Architecture by the model's configuration (`llama`, `gemma2`); null where nothing tells."""


class Planned(NamedTuple):
    """One request, and what it is asked for."""

    request: Request
    item: Item
    variant_index: int
    """Which of several contexts (kind `contexts`); otherwise 0."""
    purpose: str
    """`answer`, or the purpose of an extra log-likelihood."""
    prefix: str
    """Text that the prompt shares with the others of its group; empty for none."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A request before its tokens are known."""

    item: Item
    prefix: str
    context: str
    continuations: tuple[str, ...]
    variant_index: int
    purpose: str
    reserved_count: int
    is_generation: bool


BATCH = 512
"""Items whose prompts are made into tokens together."""


def plan(
    benchmark: Benchmark, items: Items, target: Target, limit: int | None = None
) -> Iterator[Planned]:
    """Every request of the benchmark, item by item.

    `items` are as read from the files: the protocol's split and draws happen here. With `limit`
    only the first so many items are planned, with the shots that they have in the whole set.
    """
    if benchmark.tokens.context_limit:
        shorter = min(target.context_length, benchmark.tokens.context_limit)
        target = dataclasses.replace(target, context_length=shorter)
    split = few_shot.split_items(items, benchmark.few_shot)
    special_tokens = adds_special_tokens(benchmark, target)
    drafts: list[_Draft] = []
    wanted = {item.item_id for item in split.test[:limit]}
    for item, shots in few_shot.with_shots(split, benchmark, _fits(benchmark, target)):
        if item.item_id in wanted:
            drafts += _drafts(benchmark, item, shots, target)
            if len(drafts) >= BATCH:
                yield from _planned(benchmark, drafts, target, special_tokens)
                drafts = []
    yield from _planned(benchmark, drafts, target, special_tokens)


def adds_special_tokens(benchmark: Benchmark, target: Target) -> bool:
    """Whether a prompt begins with what the model's tokenizer puts there by itself (BOS).

    none: never. llm-jp-eval asks through a pipeline of transformers, which up to 4.42 adds none.
    tokenizer: always; a tokenizer that adds nothing leaves the prompt as it is.
    gemma: for models of Gemma's family, by the name of their architecture, as
    lm-evaluation-harness tells them (swallow-evaluation v202411,
    lm-evaluation-harness-en/lm_eval/models/huggingface.py, line 271).
    gemma_2_by_name: for models with "gemma-2" in their id, as swallow-evaluation v202411 starts
    lm-evaluation-harness-jp (scripts/evaluate_ja_xlsum.sh, line 32): for gemma-2b, which is no
    Gemma 2, and not for Gemma-2-Llama-Swallow, which is one.

    Raises:
        TokenizerError: the rule asks for the architecture, and nothing tells it.
    """
    match benchmark.tokens.special_tokens:
        case "none":
            return False
        case "tokenizer":
            return True
        case "gemma_2_by_name":
            return "gemma-2" in target.model.model_id
        case "gemma":
            if target.model_type is None:
                raise TokenizerError(
                    f"{benchmark.benchmark_id}: whether its prompts begin with a BOS depends on"
                    f" the architecture of {target.model.model_id}, which neither a server nor a"
                    " config.json tells; name a folder that has the model's config.json with"
                    " --tokenizer"
                )
            return "gemma" in target.model_type


def _fits(benchmark: Benchmark, target: Target) -> Callable[[Item, list[Item]], bool] | None:
    """The rule by which shots are drawn again, one fewer; null where there is none."""
    if benchmark.tokens.too_long != "fewer_shots":
        return None
    allowed = target.context_length - benchmark.tokens.reserved_count

    def fits(item: Item, shots: list[Item]) -> bool:
        text = prompt_prefix(benchmark, item, shots) + item_text(benchmark, item)
        return target.tokenizer.count(text) <= allowed

    return fits


def _drafts(
    benchmark: Benchmark, item: Item, shots: list[Item], target: Target
) -> Iterator[_Draft]:
    if benchmark.tokens.too_long == "shorter_articles":
        shown, shots = shortened_articles(
            benchmark, item, shots, target.tokenizer, target.context_length
        )
    else:
        shown = item
    prefix = prompt_prefix(benchmark, shown, shots)
    # Shots drawn for each item anew are shared by nobody.
    shared = "" if benchmark.few_shot.rule == "drawn" else prefix
    text = item_text(benchmark, shown)
    request = benchmark.request
    reserved = benchmark.tokens.reserved_count
    if request.kind == "generation":
        yield _Draft(item, shared, prefix + text, (), 0, "answer", reserved, True)
    elif request.kind == "choices":
        continuations = tuple(
            filled(request.continuation, item, benchmark, choice=choice) for choice in item.choices
        )
        yield _Draft(item, shared, prefix + text, continuations, 0, "answer", 0, False)
    else:
        continuation = filled(request.continuation, item, benchmark)
        for index, choice in enumerate(item.choices):
            context = prefix + filled(benchmark.prompt.item, item, benchmark, context=choice)
            yield _Draft(item, shared, context, (continuation,), index, "answer", 0, False)
    if request.extra is not None:
        extra = request.extra
        yield _Draft(
            item, prefix + text, prefix + text, (extra.continuation,), 0, extra.purpose, 0, False
        )


def _planned(
    benchmark: Benchmark, drafts: list[_Draft], target: Target, special_tokens: bool
) -> Iterator[Planned]:
    encoded = target.tokenizer.encode_all(
        [text for draft in drafts for text in _texts(draft)],
        special_tokens=special_tokens,
    )
    position = 0
    for draft in drafts:
        count = 1 + len(draft.continuations)
        tokens = encoded[position : position + count]
        position += count
        if not tokens[0]:
            # A server would end with an error of its own.
            raise ItemsError(
                f"{benchmark.benchmark_id}, item {draft.item.item_id}: its prompt has no tokens"
            )
        if draft.is_generation:
            yield from _generations(benchmark, draft, tokens[0], target, special_tokens)
        else:
            yield _log_likelihood(benchmark, draft, tokens, target, special_tokens)


def _texts(draft: _Draft) -> Iterator[str]:
    """The context, and the context with each continuation.

    Spaces at the context's end belong to the continuation, as in lm-evaluation-harness:
    tokenizers join a space to the word that follows it.
    """
    yield draft.context.rstrip() if draft.continuations else draft.context
    for continuation in draft.continuations:
        yield draft.context + continuation


def _log_likelihood(
    benchmark: Benchmark,
    draft: _Draft,
    tokens: list[array[int]],
    target: Target,
    special_tokens: bool,
) -> Planned:
    context, *wholes = tokens
    sequences: list[Sequence] = []
    dropped = 0
    for whole in wholes:
        continuation = whole[len(context) :]
        if not continuation:
            raise ItemsError(
                f"{benchmark.benchmark_id}, item {draft.item.item_id}: a continuation of"
                f" {draft.continuations} has no token of its own after its context"
            )
        # The last token needs no place: nothing is predicted from it.
        allowed = min(target.context_length + 1, target.input_limit)
        excess = max(0, len(whole) - allowed)
        if excess or whole[: len(context)] != context:
            kept = whole[excess : len(context)]
            sequences.append(Sequence(kept, continuation))
        else:
            sequences.append(Sequence(context, continuation))
        dropped = max(dropped, excess)
    name = request_id(
        target.model,
        "log_likelihood",
        draft.context,
        continuations=draft.continuations,
        special_tokens=special_tokens,
        dropped_token_count=dropped,
    )
    request = Request(
        name,
        "log_likelihood",
        draft.context,
        draft.continuations,
        sequences=tuple(sequences),
        dropped_token_count=dropped,
    )
    return Planned(request, draft.item, draft.variant_index, draft.purpose, draft.prefix)


def _generations(
    benchmark: Benchmark,
    draft: _Draft,
    tokens: array[int],
    target: Target,
    special_tokens: bool,
) -> Iterator[Planned]:
    decoding = benchmark.decoding
    limit = decoding.max_new_tokens
    excess = 0
    if decoding.max_total_tokens:
        limit = min(decoding.max_total_tokens, target.context_length) - len(tokens)
        if limit < 1:
            raise ItemsError(
                f"{benchmark.benchmark_id}, item {draft.item.item_id}: its prompt has"
                f" {len(tokens)} tokens, and prompt and completion may have"
                f" {decoding.max_total_tokens} together"
            )
    elif benchmark.tokens.too_long != "none":
        excess = max(0, len(tokens) - (target.context_length - draft.reserved_count))
    kept = tokens[excess:]
    for index in range(benchmark.request.sample_count):
        sampling = Sampling(
            max_new_tokens=limit,
            stop=decoding.stop,
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            seed=None if decoding.seed is None else decoding.seed + index,
        )
        name = request_id(
            target.model,
            "generation",
            draft.context,
            sampling=sampling,
            sample_index=index,
            special_tokens=special_tokens,
            dropped_token_count=excess,
        )
        request = Request(
            name,
            "generation",
            draft.context,
            sampling=sampling,
            sample_index=index,
            sequences=(Sequence(kept),),
            dropped_token_count=excess,
        )
        # Samples of an item share its whole prompt, and an extra request does too.
        is_shared = benchmark.request.sample_count > 1 or benchmark.request.extra is not None
        prefix = draft.prefix or (draft.context if is_shared else "")
        yield Planned(request, draft.item, draft.variant_index, draft.purpose, prefix)
