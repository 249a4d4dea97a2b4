"""Declarations: what a benchmark is, read from its folder in `inference/benchmarks/`.

The classes are the format: a key that no class has, a value of another type or out of its range
is refused with the file and the place in it, before anything is asked.
"""

from __future__ import annotations

import copy
import csv
import math
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from inference.errors import DeclarationError
from inference.planning.sources import Name, Source, Table, Text, Words
from inference.planning.templates import placeholders
from warehouse.records import Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SCORERS = Path(__file__).parent.parent.parent / "warehouse" / "seeds" / "scorers.csv"

RequestKind = Literal["generation", "choices", "contexts"]
FewShotRule = Literal["none", "first", "shuffled", "halves", "held_out", "drawn"]
SpecialTokens = Literal["none", "tokenizer", "gemma", "gemma_2_by_name"]
ContextRule = Literal["none", "left", "fewer_shots", "shorter_articles"]

KIND_OF_SCORER_KIND: dict[str, RequestKind] = {
    "answer": "generation",
    "summary": "generation",
    "translation": "generation",
    "program": "generation",
}
"""What has to be asked for a scorer of that kind; `logged` scores what another harness asked."""

KIND_OF_CHOICE_SCORER: dict[str, RequestKind] = {
    "most_likely_choice": "choices",
    "most_likely_context": "contexts",
}
"""Scorers of the kind `choice` differ in what they choose from."""

FEW_SHOT_KEYS: dict[FewShotRule, set[str]] = {
    "none": set(),
    "first": set(),
    "shuffled": {"seed", "keep_ratio"},
    "halves": {"seed", "shared_count"},
    "held_out": {"seed"},
    "drawn": {"seed", "shuffles_items", "draws_spare"},
}
"""Which keys a rule of worked examples looks at, besides its count."""

Count = Annotated[int, Meta(ge=0)]
PositiveCount = Annotated[int, Meta(ge=1)]


class Prompt(Table, frozen=True):
    """How items become text. `{...}` stands for a field of the item, `{target}` for its target.

    The prompt is description, then item text + shot for every shot, each followed by the
    separator, then the item text.
    """

    item: Text
    description: str = ""
    shot: str = "{target}"
    separator: str = "\n\n"

    def __post_init__(self) -> None:
        """Refuse what is no template."""
        for key in ("item", "description", "shot"):
            placeholders(key, getattr(self, key))
        if not placeholders("item", self.item):
            raise ValueError(f"item = {self.item!r} names no field, and is the same for all items")


class FewShot(Table, frozen=True):
    """Which worked examples stand before an item.

    none: no example.
    first: the first `count` of the pool that have the item's subset.
    shuffled: the pool is shuffled by `seed` and cut to `keep_ratio`; its first `count`.
    halves: items of each subset are shuffled by `seed`; half of them are the pool
        (see `few_shot.halves`).
    held_out: the shots are those of `halves`; all other items are asked.
    drawn: `count` are drawn from the pool for every item, by one generator seeded with `seed`.
    """

    rule: FewShotRule
    count: Count = 0
    seed: Count = 0
    keep_ratio: Annotated[float, Meta(gt=0, le=1)] = 1.0
    shared_count: Count = 0
    """Rule `halves`: so many of either half are set aside together."""
    shuffles_items: bool = False
    """Rule `drawn`: the generator shuffles the items before it draws."""
    draws_spare: bool = False
    """Rule `drawn`: draw one more and keep the first `count` that are not the item itself."""

    def __post_init__(self) -> None:
        """Refuse a count that the rule does not mean, and keys that it does not look at."""
        if (self.rule == "none") != (self.count == 0):
            raise ValueError(f"rule {self.rule} does not go with {self.count} shots")
        unused = set(_changed(self)) - FEW_SHOT_KEYS[self.rule] - {"rule", "count"}
        if unused:
            raise ValueError(f"rule {self.rule} does not look at {', '.join(sorted(unused))}")


class Extra(Table, frozen=True):
    """One more log-likelihood that is asked for each item, after the same context."""

    purpose: Name
    continuation: Text

    def __post_init__(self) -> None:
        """Refuse the purpose that the item's own request has."""
        if self.purpose == "answer":
            raise ValueError("purpose = 'answer' is that of the item's own request")
        if self.purpose not in get_args(Purpose):
            raise ValueError(
                f"purpose = {self.purpose!r} is not one that the raw store takes:"
                f" {', '.join(get_args(Purpose))}"
            )


class Request(Table, frozen=True):
    """What is asked for an item."""

    kind: RequestKind
    """generation: a completion. choices: log-likelihoods of several continuations of one
    context. contexts: log-likelihoods of one continuation after several contexts."""
    continuation: str = ""
    """Kinds `choices` and `contexts`: template of a continuation; `{choice}` is the choice."""
    sample_count: PositiveCount = 1
    extra: Extra | None = None

    def __post_init__(self) -> None:
        """Refuse what the kind does not have."""
        placeholders("continuation", self.continuation)
        if (self.kind == "generation") == bool(self.continuation):
            has = "has no" if self.kind == "generation" else "needs a"
            raise ValueError(f"kind {self.kind} {has} continuation")
        if self.kind != "generation" and self.sample_count > 1:
            raise ValueError(f"kind {self.kind} has one sample")


class Decoding(Table, frozen=True):
    """How a completion is generated; temperature 0 is greedy."""

    max_new_tokens: Count = 0
    max_total_tokens: Count = 0
    """Prompt and completion together; 0 where `max_new_tokens` says it."""
    stop: tuple[Text, ...] = ()
    temperature: Annotated[float, Meta(ge=0)] = 0.0
    top_p: Annotated[float, Meta(gt=0, le=1)] = 1.0
    seed: Count | None = None
    """Seed of sample 0; sample i has seed + i. Null for greedy decoding."""

    def __post_init__(self) -> None:
        """Refuse two limits of one length, and a temperature that no server takes."""
        if self.max_new_tokens and self.max_total_tokens:
            raise ValueError("max_new_tokens and max_total_tokens are given; one of them limits")
        if not math.isfinite(self.temperature):
            raise ValueError(f"temperature = {self.temperature} is not finite")


class Tokens(Table, frozen=True):
    """How text becomes tokens, and what happens when they are too many."""

    special_tokens: SpecialTokens
    """What stands before a prompt: see `plan.adds_special_tokens`."""
    too_long: ContextRule
    reserved_count: Count = 0
    """Tokens kept free for the completion when a prompt is shortened."""
    context_limit: Count = 0
    """The harness uses no longer context than this, whatever the model has; 0 for no limit."""
    stores_tokens: bool = False
    """Completions and targets are also stored as token ids of the model's own tokenizer."""


class Declaration(Table, frozen=True, kw_only=True):
    """The keys of a `benchmark.toml`, those of its protocols taken apart."""

    benchmark_id: Text
    protocol_version: Words
    protocol_source: Words
    item_count: PositiveCount | None = None
    """Items that upstream's files must give; null where nobody here could count them."""
    scorer: Words
    sources: Annotated[tuple[Source, ...], Meta(min_length=1)]
    prompt: Prompt
    few_shot: FewShot
    request: Request
    decoding: Decoding = Decoding()
    tokens: Tokens
    departures: tuple[Words, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what goes with nothing else that is declared."""
        generates = self.request.kind == "generation"
        if generates and not (self.decoding.max_new_tokens or self.decoding.max_total_tokens):
            raise ValueError(
                "[decoding] needs max_new_tokens or max_total_tokens, or nothing is generated"
            )
        if not generates and (given := _changed(self.decoding)):
            raise ValueError(
                f"[decoding] gives {', '.join(given)}; kind {self.request.kind} generates nothing"
            )
        if self.request.sample_count > 1:
            if self.decoding.seed is None:
                raise ValueError("several samples need a [decoding] seed")
            if self.decoding.temperature == 0:
                raise ValueError("several samples need a [decoding] temperature above 0")
        roles = [source.role for source in self.sources]
        if len(set(roles)) < len(roles):
            raise ValueError(f"[[sources]] have the roles {roles}, which must differ")
        kind = self.request.kind
        if kind == "choices" and "choice" not in placeholders("", self.request.continuation):
            raise ValueError("request.continuation lacks {choice}, and is the same for all choices")
        if kind == "contexts" and "context" not in placeholders("", self.prompt.item):
            raise ValueError("prompt.item lacks {context}, and is the same for all contexts")
        if self.scorer not in scorers():
            raise ValueError(
                f"scorer = {self.scorer!r} is none of {SCORERS.name}: {', '.join(scorers())}"
            )
        if scorers()[self.scorer] != kind:
            fitting = [name for name, asked in scorers().items() if asked == kind]
            raise ValueError(
                f"scorer = {self.scorer!r} does not fit request.kind = {kind!r};"
                f" these do: {', '.join(fitting)}"
            )
        if self.scorer == "rouge2_of_tokens" and not self.tokens.stores_tokens:
            raise ValueError(f"scorer = {self.scorer!r} needs [tokens] stores_tokens = true")


class Benchmark(Declaration, frozen=True, kw_only=True):
    """A benchmark under one protocol."""

    protocol: str
    """`reference`, or the name of a table of the declaration that overrides it."""
    folder: Path

    @property
    def items_sql(self) -> str:
        """The query that turns the files into items."""
        return (self.folder / "items.sql").read_text(encoding="utf-8")


@cache
def scorers() -> dict[str, RequestKind | None]:
    """Every scorer of the register, and the kind of request that it scores.

    Null for one that scores nothing that is asked here.
    """
    with SCORERS.open(encoding="utf-8", newline="") as file:
        return {
            row["scorer_id"]: KIND_OF_CHOICE_SCORER[row["scorer_id"]]
            if row["scorer_kind"] == "choice"
            else KIND_OF_SCORER_KIND.get(row["scorer_kind"])
            for row in csv.DictReader(file)
        }


def _changed(table: Table) -> list[str]:
    """Keys of the table that do not have their default."""
    return [
        field.name
        for field in msgspec.structs.fields(table)
        if getattr(table, field.name) != field.default
    ]


def benchmark_ids(folder: Path = BENCHMARKS) -> list[str]:
    """Every declared benchmark, by name."""
    return sorted(path.parent.name for path in folder.glob("*/benchmark.toml"))


def read_benchmark(
    benchmark_id: str, protocol: str = "reference", folder: Path = BENCHMARKS
) -> Benchmark:
    """The benchmark declared in `folder`/`benchmark_id`, under `protocol`.

    A protocol other than `reference` is a table `[protocols.NAME]` whose keys override the
    declaration's, table by table.

    Raises:
        DeclarationError: there is no such benchmark or protocol, or the file is not valid, be it
            in another protocol; the message names file and key.
    """
    path = folder / benchmark_id / "benchmark.toml"
    if not path.is_file():
        known = ", ".join(benchmark_ids(folder))
        raise DeclarationError(f"there is no benchmark {benchmark_id!r}; there are {known}")
    declarations = _declarations(path)
    if protocol not in declarations:
        known = ", ".join(declarations)
        raise DeclarationError(f"{benchmark_id} has no protocol {protocol!r}; it has {known}")
    declaration = declarations[protocol]
    if not (path.parent / "items.sql").is_file():
        raise DeclarationError(f"{path.parent} has no items.sql, the query that gives its items")
    return Benchmark(**msgspec.structs.asdict(declaration), protocol=protocol, folder=path.parent)


def protocols_of(benchmark_id: str, folder: Path = BENCHMARKS) -> list[str]:
    """Names of the benchmark's protocols, `reference` first.

    Raises:
        DeclarationError: the file is not valid.
    """
    return list(_declarations(folder / benchmark_id / "benchmark.toml"))


def _declarations(path: Path) -> dict[str, Declaration]:
    """What the file declares, by protocol; `reference` is the first."""
    declared, protocols = _tables(path)
    found = {}
    for protocol, changes in {"reference": {}, **protocols}.items():
        where = str(path) if protocol == "reference" else f"{path}: protocols.{protocol}"
        try:
            declaration = msgspec.convert(_overridden(declared, changes), Declaration)
        except msgspec.ValidationError as error:
            raise DeclarationError(f"{where}: {error}") from error
        if declaration.benchmark_id != path.parent.name:
            raise DeclarationError(
                f"{where}: benchmark_id is {declaration.benchmark_id!r}, its folder is"
                f" {path.parent.name!r}; they must be the same"
            )
        found[protocol] = declaration
    return found


def _tables(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What the file declares, and what its protocols override."""
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
        protocols = msgspec.convert(declared.pop("protocols", {}), dict[str, dict[str, Any]])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise DeclarationError(f"{path}: protocols: {error}") from error
    if "reference" in protocols:
        raise DeclarationError(
            f"{path}: protocols.reference: the reference is what stands outside of [protocols];"
            " give the table another name"
        )
    return declared, protocols


def _overridden(declared: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`declared` with `changes`; tables are merged, everything else replaced."""
    merged = copy.deepcopy(dict(declared))
    for key, value in changes.items():
        both_tables = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overridden(merged[key], value) if both_tables else value
    return merged


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
