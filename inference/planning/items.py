"""Items: the questions of a benchmark, made from its files by its `items.sql`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from inference.errors import ItemsError
from inference.planning.files import register

if TYPE_CHECKING:
    from inference.planning.declarations import Benchmark
    from inference.planning.files import BenchmarkFile

COLUMNS = (
    "split",
    "item_id",
    "subset",
    "cluster_id",
    "fields",
    "target",
    "golds",
    "choices",
    "gold_index",
)
"""What `items.sql` gives, in this order; its rows are in the order of the files."""

WHITESPACE = "".join(filter(str.isspace, map(chr, range(0x3001))))
"""What `str.strip` takes away: more than RE2's `\\s` and DuckDB's `trim` do."""

STRIP_MACRO = f"create macro python_strip(text) as trim(text, '{WHITESPACE}')"
"""`items.sql` can strip as the references do, which are written in Python."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark, or one worked example of its pool."""

    item_id: str
    position: int
    """From 0, in the order of the files."""
    subset: str
    """Subject or subtask; empty where a benchmark has none."""
    cluster_id: str
    """Items with a common passage or subject, whose scores are not independent."""
    fields: dict[str, str]
    """What the prompt's templates may name."""
    target: str
    """The answer as it stands in a worked example."""
    golds: tuple[str, ...]
    """Answers that count as right, or what a scorer needs instead (tests of a program)."""
    choices: tuple[str, ...]
    """Continuations or contexts to choose from; empty for generation."""
    gold_index: int | None
    """Index of the right choice; null for generation."""

    @property
    def content(self) -> tuple[object, ...]:
        """What makes two rows the same question."""
        return (tuple(sorted(self.fields.items())), self.target, self.golds, self.choices)


class Items(NamedTuple):
    """Items of a benchmark and its pool of worked examples."""

    test: list[Item]
    pool: list[Item]


def item_hash_of_content(
    benchmark_id: str, item_id: str, content: tuple[object, ...], gold_index: int | None
) -> str:
    """Name of the item with that `Item.content`: 32 hexadecimal digits of its sha256."""
    named = [benchmark_id, item_id, *content, gold_index]
    return hashlib.sha256(json.dumps(named, ensure_ascii=False).encode()).hexdigest()[:32]


def read_items(benchmark: Benchmark, files: list[BenchmarkFile]) -> Items:
    """Items and pool, in the order of the files, before any split or draw.

    Raises:
        BenchmarkFileError: a file cannot be read.
        ItemsError: `items.sql` fails, or gives other columns, nulls or doubled ids.
    """
    where = benchmark.folder / "items.sql"
    with duckdb.connect(config={"threads": 1}) as connection:
        # One thread: rows keep the order of the files without a sort in every query.
        register(connection, files)
        connection.execute(STRIP_MACRO)
        try:
            result = connection.execute(benchmark.items_sql)
            columns = tuple(column[0] for column in result.description or ())
            rows = result.fetchall()
        except duckdb.Error as error:
            raise ItemsError(f"{where} failed: {error}") from error
    if columns != COLUMNS:
        raise ItemsError(f"{where} gives the columns {columns}; it must give {COLUMNS}")
    items = Items([], [])
    for row in rows:
        values = dict(zip(columns, row, strict=True))
        split = values.pop("split")
        if split not in Items._fields:
            raise ItemsError(f"{where} gives a row of the split {split!r}; there are test, pool")
        rows_of_split = items.test if split == "test" else items.pool
        rows_of_split.append(_item(values, len(rows_of_split), str(where)))
    _check(items, benchmark, str(where))
    return items


def _item(values: dict[str, object], position: int, where: str) -> Item:
    missing = [
        name
        for name, value in values.items()
        if value is None and name not in ("choices", "gold_index")
    ]
    if missing:
        raise ItemsError(
            f"{where} gives null in {', '.join(missing)} of item {values['item_id']!r}"
        )
    fields: dict[str, str] = json.loads(str(values["fields"]))
    if None in fields.values():
        raise ItemsError(f"{where} gives a null field in item {values['item_id']!r}: {fields}")
    golds, choices, gold_index = values["golds"], values["choices"], values["gold_index"]
    assert isinstance(golds, list)
    assert choices is None or isinstance(choices, list)
    assert gold_index is None or isinstance(gold_index, int)
    return Item(
        item_id=str(values["item_id"]),
        position=position,
        subset=str(values["subset"]),
        cluster_id=str(values["cluster_id"]),
        fields=fields,
        target=str(values["target"]),
        golds=tuple(golds),
        choices=tuple(choices or ()),
        gold_index=gold_index,
    )


def _check(items: Items, benchmark: Benchmark, where: str) -> None:
    for rows in items:
        seen: set[str] = set()
        for item in rows:
            if item.item_id in seen:
                raise ItemsError(f"{where} gives item {item.item_id!r} twice")
            seen.add(item.item_id)
    if not items.test:
        raise ItemsError(f"{where} gives no items of {benchmark.benchmark_id}")
