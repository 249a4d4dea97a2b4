"""Addresses: every place that benchmark files come from, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inference.planning.declarations import BENCHMARKS, benchmark_ids, read_benchmark
from inference.planning.sources import UNPINNED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Address(NamedTuple):
    """Where one source of a benchmark is, and what holds its content."""

    benchmark_id: str
    role: str
    file_count: int
    """Files at the address, one per `{name}`."""
    address: str
    licence: str
    notes: str
    """What is not as one would wish; empty where commit and hash fix a file that was seen."""


def addresses(names: Iterable[str] = (), folder: Path = BENCHMARKS) -> list[Address]:
    """The addresses of the named benchmarks, or of all.

    Raises:
        DeclarationError: a declaration is not valid.
    """
    found = []
    for name in list(names) or benchmark_ids(folder):
        for source in read_benchmark(name, folder=folder).sources:
            notes = [
                "" if source.is_seen else "Never downloaded here.",
                "No sha256." if UNPINNED in source.hashes.values() else "",
                source.moving,
                source.differs,
            ]
            found.append(
                Address(
                    name,
                    source.role,
                    len(source.hashes),
                    source.address(),
                    source.licence,
                    " ".join(note for note in notes if note),
                )
            )
    return found


def as_markdown(rows: Iterable[Address]) -> list[str]:
    """Lines of a table, as documentation has it."""
    head = [name.removesuffix("_id").replace("_count", "s") for name in Address._fields]
    cells = [head, ["---"] * len(head), *([str(value) for value in row] for row in rows)]
    return [f"| {' | '.join(row)} |" for row in cells]
