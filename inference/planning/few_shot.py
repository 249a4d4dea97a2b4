"""Few-shot examples: which worked examples stand before each item, by the protocols' rules.

The rules are those of the three reference harnesses, with their generators and seeds, so that
every draw is theirs: Python's `random.Random` gives the same numbers on every platform.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from inference.errors import ItemsError
from inference.planning.items import Items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference.planning.declarations import Benchmark, FewShot
    from inference.planning.items import Item


class ItemWithShots(NamedTuple):
    """An item and the worked examples that stand before it."""

    item: Item
    shots: list[Item]


def split_items(items: Items, few_shot: FewShot) -> Items:
    """Items to ask and pool to draw from, after the protocol's own split of the files."""
    if few_shot.rule == "halves":
        return halves(items.test, few_shot.seed, few_shot.shared_count)
    if few_shot.rule == "held_out":
        pool = halves(items.test, few_shot.seed, 0).pool[: few_shot.count]
        held_out = {item.item_id for item in pool}
        return Items([item for item in items.test if item.item_id not in held_out], pool)
    return items


def halves(rows: list[Item], seed: int, shared_count: int) -> Items:
    """The split of llm-jp-eval's JMMLU: half of every subset to ask, half for shots.

    One generator shuffles each subset in turn; the first half (rounded down) goes to the pool,
    the rest to the items; then it shuffles the pool, then the items. The first `shared_count`
    of either are set aside for a common few-shot file, and so are no items any more.
    """
    generator = random.Random(seed)
    pool: list[Item] = []
    test: list[Item] = []
    for subset in dict.fromkeys(row.subset for row in rows):
        shuffled = [row for row in rows if row.subset == subset]
        generator.shuffle(shuffled)
        pool += shuffled[: len(shuffled) // 2]
        test += shuffled[len(shuffled) // 2 :]
    generator.shuffle(pool)
    generator.shuffle(test)
    return Items(test[shared_count:], pool)


def with_shots(
    items: Items,
    benchmark: Benchmark,
    fits: Callable[[Item, list[Item]], bool] | None = None,
) -> Iterator[ItemWithShots]:
    """Every item with its shots, in the order in which the reference draws them.

    `items` come from `split_items`. `fits` says whether item and shots fit the model's context;
    under the rule `fewer_shots` the shots of an item that does not fit are drawn again, one
    fewer, as the reference does (which moves the draws of all later items).

    Raises:
        ItemsError: the pool is too small for the rule.
    """
    few_shot = benchmark.few_shot
    if few_shot.rule == "drawn":
        yield from _drawn(items, benchmark, fits)
        return
    by_subset: dict[str, list[Item]] = {}
    if few_shot.rule == "first":
        for shot in items.pool:
            by_subset.setdefault(shot.subset, []).append(shot)
        by_subset = {subset: shots[: few_shot.count] for subset, shots in by_subset.items()}
    common = _common_shots(items.pool, few_shot)
    for item in items.test:
        shots = by_subset.get(item.subset, []) if few_shot.rule == "first" else common
        if len(shots) < few_shot.count:
            raise ItemsError(
                f"{benchmark.benchmark_id}: {len(shots)} shots for item {item.item_id}, the"
                f" protocol wants {few_shot.count}"
            )
        yield ItemWithShots(item, shots)


def _common_shots(pool: list[Item], few_shot: FewShot) -> list[Item]:
    if few_shot.rule in ("none", "first"):
        return []
    if few_shot.rule in ("halves", "held_out"):
        return pool[: few_shot.count]
    shuffled = list(pool)
    random.Random(few_shot.seed).shuffle(shuffled)
    # A stand-in for a pool may hold just the shots.
    kept_count = max(few_shot.count, int(len(shuffled) * few_shot.keep_ratio))
    return shuffled[:kept_count][: few_shot.count]


def _drawn(
    items: Items,
    benchmark: Benchmark,
    fits: Callable[[Item, list[Item]], bool] | None,
) -> Iterator[ItemWithShots]:
    few_shot = benchmark.few_shot
    generator = random.Random(few_shot.seed)
    order = list(items.test)
    if few_shot.shuffles_items:
        generator.shuffle(order)
    pool = items.pool or items.test
    needed = few_shot.count + few_shot.draws_spare
    if len(pool) < needed:
        raise ItemsError(
            f"{benchmark.benchmark_id}: {needed} shots are drawn from a pool of {len(pool)}"
        )
    for item in order:
        count = few_shot.count
        shots = _draw(generator, pool, item, count, few_shot.draws_spare)
        while fits is not None and count and not fits(item, shots):
            count -= 1
            shots = _draw(generator, pool, item, count, few_shot.draws_spare)
        yield ItemWithShots(item, shots)


def _draw(
    generator: random.Random, pool: list[Item], item: Item, count: int, draws_spare: bool
) -> list[Item]:
    """`count` of the pool without the item itself; nothing is drawn for none."""
    if not count:
        return []
    drawn = generator.sample(pool, count + draws_spare)
    return [shot for shot in drawn if shot.content != item.content][:count]
