"""Declarations: what a benchmark is, read from its folder in `inference/benchmarks/`."""

from __future__ import annotations

import copy
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from inference.errors import DeclarationError

if TYPE_CHECKING:
    from collections.abc import Mapping

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

FileFormat = Literal["json", "csv", "tsv", "quoted_tsv", "lines", "text", "parquet", "arrow", "xml"]
RequestKind = Literal["generation", "choices", "contexts"]
FewShotRule = Literal["none", "first", "shuffled", "halves", "held_out", "drawn"]
SpecialTokens = Literal["none", "tokenizer", "gemma", "gemma_2_by_name"]
ContextRule = Literal["none", "left", "fewer_shots", "shorter_articles"]

UNPINNED = "unpinned"
"""In place of a sha256 that nobody here could compute: the file is taken on its upstream's word."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A file that takes the place of an upstream one where that cannot be had."""

    path: str
    format: FileFormat
    sha256: str
    departure: str = ""
    """How the items or shots differ from upstream's; empty where they are the same."""


@dataclass(frozen=True, slots=True)
class Source:
    """Upstream files of one role: one file, or one per name (subject, subtask)."""

    role: str
    """Name of the view by which `items.sql` reads the files: `test`, `pool`, ..."""
    path: str
    """Place below the cache and below a mirror; `{name}` stands for the name."""
    format: FileFormat
    sha256: str | dict[str, str]
    """Of the file as upstream has it, or of one file per name, in the order of reading."""
    licence: str
    url: str = ""
    hub: str = ""
    """Dataset repository on the Hugging Face hub, where there is no plain `url`."""
    revision: str = ""
    file: str = ""
    """Path within the hub repository."""
    stand_in: StandIn | None = None

    @property
    def hashes(self) -> dict[str, str]:
        """Name to sha256; the only file of a source without names is called ''."""
        return {"": self.sha256} if isinstance(self.sha256, str) else self.sha256


@dataclass(frozen=True, slots=True)
class Prompt:
    """How items become text. `{...}` stands for a field of the item, `{target}` for its target.

    The prompt is description, then item text + shot for every shot, each followed by the
    separator, then the item text.
    """

    item: str
    description: str = ""
    shot: str = "{target}"
    separator: str = "\n\n"


@dataclass(frozen=True, slots=True)
class FewShot:
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
    count: int = 0
    seed: int = 0
    keep_ratio: float = 1.0
    shared_count: int = 0
    """Rule `halves`: so many of either half are set aside together."""
    shuffles_items: bool = False
    """Rule `drawn`: the generator shuffles the items before it draws."""
    draws_spare: bool = False
    """Rule `drawn`: draw one more and keep the first `count` that are not the item itself."""


@dataclass(frozen=True, slots=True)
class Extra:
    """One more log-likelihood that is asked for each item, after the same context."""

    purpose: str
    continuation: str


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for an item."""

    kind: RequestKind
    """generation: a completion. choices: log-likelihoods of several continuations of one
    context. contexts: log-likelihoods of one continuation after several contexts."""
    continuation: str = ""
    """Kinds `choices` and `contexts`: template of a continuation; `{choice}` is the choice."""
    sample_count: int = 1
    extra: Extra | None = None


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a completion is generated; temperature 0 is greedy."""

    max_new_tokens: int = 0
    max_total_tokens: int = 0
    """Prompt and completion together; 0 where `max_new_tokens` says it."""
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    """Seed of sample 0; sample i has seed + i. Null for greedy decoding."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """How text becomes tokens, and what happens when they are too many."""

    special_tokens: SpecialTokens
    """What stands before a prompt: see `plan.adds_special_tokens`."""
    too_long: ContextRule
    reserved_count: int = 0
    """Tokens kept free for the completion when a prompt is shortened."""
    context_limit: int = 0
    """The harness uses no longer context than this, whatever the model has; 0 for no limit."""
    stores_tokens: bool = False
    """Completions and targets are also stored as token ids of the model's own tokenizer."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark under one protocol."""

    benchmark_id: str
    protocol: str
    """`reference`, or the name of a table of the declaration that overrides it."""
    protocol_version: str
    protocol_source: str
    item_count: int | None
    """Items that upstream's files must give; null where nobody here could count them."""
    scorer: str
    sources: tuple[Source, ...]
    prompt: Prompt
    few_shot: FewShot
    request: Request
    decoding: Decoding
    tokens: Tokens
    departures: tuple[str, ...]
    folder: Path

    @property
    def items_sql(self) -> str:
        """The query that turns the files into items."""
        return (self.folder / "items.sql").read_text(encoding="utf-8")


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
        DeclarationError: there is no such benchmark or protocol, or the file is not valid;
            the message names file and key.
    """
    path = folder / benchmark_id / "benchmark.toml"
    if not path.is_file():
        known = ", ".join(benchmark_ids(folder))
        raise DeclarationError(f"there is no benchmark {benchmark_id!r}; there are {known}")
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path} is not TOML: {error}") from error
    protocols = declared.pop("protocols", {})
    if protocol != "reference":
        if protocol not in protocols:
            known = ", ".join(["reference", *protocols])
            raise DeclarationError(f"{benchmark_id} has no protocol {protocol!r}; it has {known}")
        declared = _overridden(declared, protocols[protocol])
    return _benchmark(declared, protocol, path)


def protocols_of(benchmark_id: str, folder: Path = BENCHMARKS) -> list[str]:
    """Names of the benchmark's protocols, `reference` first."""
    path = folder / benchmark_id / "benchmark.toml"
    return ["reference", *tomllib.loads(path.read_text(encoding="utf-8")).get("protocols", {})]


def _overridden(declared: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`declared` with `changes`; tables are merged, everything else replaced."""
    merged = copy.deepcopy(dict(declared))
    for key, value in changes.items():
        both_tables = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overridden(merged[key], value) if both_tables else value
    return merged


def _benchmark(declared: dict[str, Any], protocol: str, path: Path) -> Benchmark:
    tables = {
        "prompt": Prompt,
        "few_shot": FewShot,
        "request": Request,
        "decoding": Decoding,
        "tokens": Tokens,
    }
    known = {field.name for field in fields(Benchmark)} - {"protocol", "folder"}
    _refuse_unknown(declared, known, path, "the top level")
    request = dict(declared.get("request", {}))
    if "extra" in request:
        request["extra"] = _table(request["extra"], Extra, path, "request.extra")
    values: dict[str, Any] = {
        **declared,
        "departures": tuple(declared.get("departures", ())),
        "item_count": declared.get("item_count"),
        "request": request,
        "sources": tuple(_source(table, path) for table in declared.get("sources", ())),
    }
    for name, kind in tables.items():
        values[name] = _table(values.get(name, {}), kind, path, name)
    benchmark: Benchmark = _table(
        {**values, "protocol": protocol, "folder": path.parent}, Benchmark, path, "the top level"
    )
    if benchmark.benchmark_id != path.parent.name:
        raise DeclarationError(
            f"{path}: benchmark_id is {benchmark.benchmark_id!r}, its folder is"
            f" {path.parent.name!r}; they must be the same"
        )
    if not (path.parent / "items.sql").is_file():
        raise DeclarationError(f"{path.parent} has no items.sql, the query that gives its items")
    _check(benchmark, path)
    return benchmark


def _check(benchmark: Benchmark, path: Path) -> None:
    generates = benchmark.request.kind == "generation"
    limits = (benchmark.decoding.max_new_tokens, benchmark.decoding.max_total_tokens)
    if generates and not any(limits):
        raise DeclarationError(
            f"{path}: [decoding] needs max_new_tokens or max_total_tokens, or nothing is generated"
        )
    if not generates and not benchmark.request.continuation:
        raise DeclarationError(
            f"{path}: [request] of kind {benchmark.request.kind} needs a continuation"
        )
    if benchmark.request.sample_count > 1 and benchmark.decoding.seed is None:
        raise DeclarationError(f"{path}: several samples need a [decoding] seed")


def _source(table: dict[str, Any], path: Path) -> Source:
    values = dict(table)
    where = f"sources ({values.get('role', 'no role')})"
    if "stand_in" in values:
        values["stand_in"] = _table(values["stand_in"], StandIn, path, f"{where} stand_in")
    source: Source = _table(values, Source, path, where)
    if bool(source.url) == bool(source.hub):
        raise DeclarationError(f"{path}: {where} needs either url or hub")
    if source.hub and not (source.revision and source.file):
        raise DeclarationError(f"{path}: {where} on the hub needs revision and file")
    for name, sha256 in source.hashes.items():
        if sha256 != UNPINNED and len(sha256) != 64:
            raise DeclarationError(
                f"{path}: sha256 of {where} {name} is {sha256!r}: neither 64 hexadecimal digits"
                f" nor {UNPINNED!r}"
            )
    return source


CHOICES: dict[tuple[type, str], tuple[str, ...]] = {
    (Source, "format"): get_args(FileFormat),
    (StandIn, "format"): get_args(FileFormat),
    (FewShot, "rule"): get_args(FewShotRule),
    (Request, "kind"): get_args(RequestKind),
    (Tokens, "special_tokens"): get_args(SpecialTokens),
    (Tokens, "too_long"): get_args(ContextRule),
}
"""Fields whose values are a closed set."""


def _table(table: Mapping[str, Any], kind: type, path: Path, where: str) -> Any:
    """`kind` made of the keys of `table`; lists become tuples."""
    _refuse_unknown(table, {field.name for field in fields(kind)}, path, where)
    values = {
        key: tuple(value) if isinstance(value, list) else value for key, value in table.items()
    }
    for (owner, key), allowed in CHOICES.items():
        if owner is kind and key in values and values[key] not in allowed:
            raise DeclarationError(
                f"{path}: {where} has {key} = {values[key]!r}; it may be {', '.join(allowed)}"
            )
    try:
        return kind(**values)
    except TypeError as error:
        raise DeclarationError(f"{path}: {where} is not complete: {error}") from error


def _refuse_unknown(table: Mapping[str, Any], known: set[str], path: Path, where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise DeclarationError(
            f"{path}: {where} has unknown keys {', '.join(unknown)}; known are"
            f" {', '.join(sorted(known))}"
        )
