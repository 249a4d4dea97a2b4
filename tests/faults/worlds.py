"""Worlds: folders in which a job finds what it needs, and writes; and what they are copied from."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from inference.planning.tokenizers import Tokenizer, read_tokenizer
from tests.dbt_project import DBT, REPOSITORY, dbt_environment, linked_project
from tests.faults.fake_server import MODEL
from tests.faults.processes import MARK, Command, run
from tests.warehouse.installation import OLD_SHARDS, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable

EVALWH = str(Path(sys.executable).parent / "evalwh")

LOGGED_ELSEWHERE = REPOSITORY / "tests" / "inference" / "exchange" / "lm_eval_samples"

DEMONSTRATION = REPOSITORY / "warehouse" / "demo"

BENCHMARKS = "mmlu,gsm8k,hellaswag,humaneval,wmt20_en_ja"
"""Log-likelihoods of both kinds, completions, programs and translations."""

WRITTEN_BY_DBT = frozenset({"target", "logs", "project"})
"""Folders of a world that are no data."""


@dataclass(frozen=True, slots=True)
class World:
    """A folder with a raw store, shards and a warehouse, as far as they are there."""

    folder: Path
    server: str
    """Address of the fake server."""
    tokenizer: Path

    @property
    def shards(self) -> Path:
        return self.folder / "shards"

    @property
    def store(self) -> Path:
        return self.folder / "generations.duckdb"

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def mark(self) -> str:
        """What the world's processes have in their environment, and no other campaign's."""
        return str(self.folder)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **dbt_environment(self.folder),
            "EVALWH_SHARDS": str(self.shards),
            "EVALWH_BENCHMARKS": str(self.folder / "benchmarks"),
            MARK: self.mark,
            "COLUMNS": "10000",
            "PYTHONFAULTHANDLER": "1",
        }

    def evalwh(self, *arguments: str) -> Command:
        """An `evalwh` command in this world."""
        return Command((EVALWH, *arguments), REPOSITORY, self.environment)

    def ask(self, *arguments: str) -> Command:
        """`evalwh run` of the fake model."""
        return self.evalwh(
            *("run", "--model", MODEL, "--items", "demo", "--endpoint", self.server),
            *("--tokenizer", str(self.tokenizer), "--benchmarks", BENCHMARKS),
            *("--concurrency", "2", "--batch-size", "4", "--patience", "20"),
            *arguments,
        )

    def dbt(self, *arguments: str) -> Command:
        """A dbt command in this world."""
        project = linked_project(self.folder)
        # dbt takes up what it parsed under the same addresses only: relative ones.
        addresses = {
            name: os.path.relpath(path, project)
            for name, path in dbt_environment(self.folder).items()
        }
        environment = {
            **self.environment,
            **addresses,
            "DBT_PROFILES_DIR": "warehouse",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        return Command((str(DBT), "--no-use-colors", *arguments), project, environment)

    def run_id(self) -> str:
        """The run of the fake model in the raw store."""
        with closing(duckdb.connect(self.store, read_only=True)) as connection:
            row = connection.execute(
                "select min(run_id) from raw.run_sessions where model_id = ?", [MODEL]
            ).fetchone()
        assert row is not None
        name: str = row[0]
        return name


def done(command: Command, seconds: float = 300) -> None:
    """Run what has to work.

    Raises:
        AssertionError: it does not; the message has what was said.
    """
    said = run(command, seconds)
    assert said.code == 0, f"{command}\n{said.text[-8_000:]}"


class Workshop:
    """Makes worlds: each kind of them once, and copies of it for trials."""

    def __init__(self, folder: Path, server: str, tokenizer: Path) -> None:
        self.folder = folder
        self.server = server
        self.tokenizer = tokenizer
        self._numbers = itertools.count(1)
        self._locks = {name: threading.Lock() for name in MAKERS}
        self._made: dict[str, Path] = {}

    @cached_property
    def known_tokenizer(self) -> Tokenizer:
        """What the fake model's prompts are cut with."""
        return read_tokenizer(str(self.tokenizer))

    @cached_property
    def injector(self) -> Path:
        """The injector, compiled.

        Raises:
            FileNotFoundError: there is no C compiler.
        """
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise FileNotFoundError("there is no C compiler (cc): faults cannot be injected")
        library = self.folder / "injector.so"
        source = Path(__file__).with_name("injector.c")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"],
            check=True,
        )
        return library

    def at(self, folder: Path) -> World:
        """The world in a folder."""
        return World(folder, self.server, self.tokenizer)

    def original(self, name: str) -> World:
        """The world of a kind, which is made if it is the first time; nobody changes it."""
        with self._locks[name]:
            if name not in self._made:
                folder = self.folder / f"original-{name}"
                # One that failed is made anew.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                MAKERS[name](self, self.at(folder))
                self._made[name] = folder
        return self.at(self._made[name])

    def copy(self, name: str) -> World:
        """A new copy of a world."""
        original = self.original(name).folder
        folder = self.folder / f"world-{next(self._numbers):05d}"
        shutil.copytree(original, folder, symlinks=True)
        return self.at(folder)


def _begin_with(name: str, workshop: Workshop, world: World) -> None:
    original = workshop.original(name).folder
    shutil.copytree(original, world.folder, symlinks=True, dirs_exist_ok=True)


def _nothing(_: Workshop, __: World) -> None:
    """Nothing has been asked."""


def _shards(workshop: Workshop, world: World) -> None:
    """Shards that nobody has loaded: those of a run, and the demonstration's."""
    done(world.ask("--no-load"))
    for path in DEMONSTRATION.glob("*.parquet"):
        shutil.copy(path, world.shards)
    world.store.unlink()


def _asked(workshop: Workshop, world: World) -> None:
    """A run that is loaded and not measured."""
    done(world.ask())


def _measured(workshop: Workshop, world: World) -> None:
    """A run that is measured, and the demonstration."""
    _begin_with("asked", workshop, world)
    done(world.evalwh("load", "--keep", str(DEMONSTRATION)))
    done(world.evalwh("measure"))


def _parsed(workshop: Workshop, world: World) -> None:
    """A run that is measured, and dbt's project, parsed."""
    _begin_with("measured", workshop, world)
    done(world.dbt("parse"))


def _built(workshop: Workshop, world: World) -> None:
    """A whole warehouse."""
    _begin_with("parsed", workshop, world)
    done(world.dbt("build"), 600)


def _grown(workshop: Workshop, world: World) -> None:
    """A whole warehouse, and answers that came after it."""
    _begin_with("built", workshop, world)
    done(world.evalwh("import", str(LOGGED_ELSEWHERE)))


def _old(_: Workshop, world: World) -> None:
    """An installation of before there were versions."""
    unpacked("generations.duckdb", world.folder)
    shutil.copytree(OLD_SHARDS, world.shards)


MAKERS: dict[str, Callable[[Workshop, World], None]] = {
    "nothing": _nothing,
    "shards": _shards,
    "asked": _asked,
    "measured": _measured,
    "parsed": _parsed,
    "built": _built,
    "grown": _grown,
    "old": _old,
}
"""Makers of the worlds that jobs start from, by name."""
