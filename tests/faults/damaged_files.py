"""Damaged files: shards, the raw store and the warehouse, damaged; what is damaged has to be named.

Every command that reads them has to end with a sentence, whatever it finds; the rest of the shards
is loaded; and once the file is put back, nothing is missing.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tests.dbt_project import REPOSITORY
from tests.faults.damages import DAMAGES, put_back
from tests.faults.jobs import JOBS
from tests.faults.processes import Command, Said, run
from tests.faults.recovering import compare, look_at, recover, undisturbed
from tests.faults.states import differences, raw_state
from tests.faults.troubles import Trial
from warehouse.records import VERSION
from warehouse.shard_files import VERSION_KEY

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.worlds import Workshop, World

SHARES = {
    "shard": 34,
    "loaded shard": 6,
    "raw store": 17,
    "log": 8,
    "warehouse": 17,
    "odd shards": 8,
    "locks": 2,
}
"""Damages of the full campaign, by what is damaged."""

SECONDS = 40.0
"""After these a command is blocked."""


def trials(workshop: Workshop, seed: int, shares: dict[str, int]) -> Iterator[Callable[[], Trial]]:
    """So many damages of each kind of file, all ways to damage one in turn."""
    for what, count in shares.items():
        generator = random.Random(f"{seed} {what}")
        for number in range(count):
            one = random.Random(generator.random())
            yield partial(_TRIALS[what], workshop, number, one)


def as_user(command: Command) -> Command:
    """The command without root's right to read what nobody may."""
    if os.geteuid() != 0:
        return command
    line = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", *command.line)
    return Command(line, command.cwd, command.environment)


def ask(world: World, trial: Trial, named: Path | None, *arguments: str) -> Said:
    """Run an `evalwh` command that has to end with a sentence.

    If it fails, it has to name the path in `named`; null if the file is none of its business.
    """
    command = world.ask() if arguments == ("run",) else world.evalwh(*arguments)
    said = run(as_user(command), SECONDS)
    look_at(trial, said, f"evalwh {arguments[0]}")
    if said.code != 0 and not said.is_blocked and not said.has_traceback:
        trial.message = trial.message or said.message.replace(str(world.folder), "...")
        # Of a link that leads nowhere, its end is as good a name.
        names = [named.name] if named is not None else []
        if named is not None and named.is_symlink():
            names.append(named.readlink().name)
        if names and not any(name in said.text for name in names):
            trial.add("unsaid", f"evalwh {arguments[0]} does not name it: {said.message[:200]}")
    return said


def damage_shard(workshop: Workshop, number: int, generator: random.Random) -> Trial:
    """Damage one of many shards that are to be loaded."""
    damage = DAMAGES[number % len(DAMAGES)]
    world = workshop.copy("shards")
    shards = sorted(world.shards.glob("*.parquet"))
    path = generator.choice(shards)
    kind = path.name.split(".")[2]
    trial = Trial("damaged file", "shard", f"{damage.name} ({kind})")
    expected = _without(workshop, path)
    kept = world.folder.with_name(f"{world.folder.name}-kept")
    shutil.copy(path, kept)
    damage.do(path, generator)
    ask(world, trial, None, "status")
    said = ask(world, trial, path, "load")
    if said.code == 0:
        trial.add("unsaid", "evalwh load exits with 0")
    lost, doubled = differences(expected, raw_state(world.store))
    if lost:
        trial.add("lost", f"of the others: {', '.join(lost)}")
    if doubled:
        trial.add("doubled", f"of the damaged one: {', '.join(doubled)}")
    if number % 8 == 7:
        ask(world, trial, None, "measure")
    _remove(path)
    put_back(kept, path)
    kept.unlink()
    said = run(world.evalwh("load"), SECONDS)
    look_at(trial, said, "evalwh load of the mended shard")
    if said.code != 0:
        trial.add("blocked", f"the mended shard is refused: {said.message[:200]}")
    lost, doubled = differences(
        _without_measures(undisturbed(workshop, JOBS["load"]).state),
        _without_measures(raw_state(world.store)),
    )
    if lost:
        trial.add("lost", f"when it is mended: {', '.join(lost)}")
    if doubled:
        trial.add("doubled", f"when it is mended: {', '.join(doubled)}")
    return trial


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _without(workshop: Workshop, path: Path) -> dict[str, Counter[str]]:
    """What a load leaves if the shard is not there; what needs it may wait for it."""
    world = workshop.copy("shards")
    (world.shards / path.name).unlink()
    said = run(world.evalwh("load"), SECONDS)
    assert said.code in (0, 1), said.text
    assert not said.has_traceback, said.text
    return raw_state(world.store)


MEASURES = {"program_outcomes", "translation_statistics"}


def _without_measures(state: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    return {name: rows for name, rows in state.items() if name not in MEASURES}


def damage_loaded_shard(workshop: Workshop, number: int, generator: random.Random) -> Trial:
    """Damage a shard that is loaded: nothing depends on it, and everything goes on."""
    damage = DAMAGES[number * 5 % len(DAMAGES)]
    world = workshop.copy("asked")
    path = generator.choice(sorted((world.shards / "loaded").glob("*.parquet")))
    trial = Trial("damaged file", "loaded shard", f"{damage.name} ({path.name.split('.')[2]})")
    damage.do(path, generator)
    for arguments in (["status"], ["load"], ["run"], ["measure"]):
        said = ask(world, trial, None, *arguments)
        if said.code != 0 and not said.is_blocked:
            trial.add("blocked", f"evalwh {arguments[0]}: {said.message[:200]}")
    compare(workshop, JOBS["measure"], world, trial, undisturbed(workshop, JOBS["measure"]).state)
    return trial


def damage_store(workshop: Workshop, number: int, generator: random.Random) -> Trial:
    """Damage the raw store; put it back, and go on."""
    damage = DAMAGES[number % len(DAMAGES)]
    world = workshop.copy("asked")
    trial = Trial("damaged file", "raw store", damage.name)
    kept = world.folder.with_name(f"{world.folder.name}-kept")
    shutil.copy(world.store, kept)
    damage.do(world.store, generator)
    # A bit that no command reads may go unnoticed by all of them; `check` looks at every one.
    for arguments in (["status"], ["load"], ["measure"], ["run"]):
        ask(world, trial, world.store, *arguments)
    put_back(kept, world.store)
    world.store.with_name(world.store.name + ".wal").unlink(missing_ok=True)
    kept.unlink()
    recover(workshop, JOBS["measure"], world, trial)
    trial.troubles.pop("left behind", None)
    return trial


def damage_log(workshop: Workshop, number: int, generator: random.Random) -> Trial:
    """Damage the raw store's log, or lose it or the store; then nothing is asked twice.

    The shards of what was in it are in `loaded/`, from which it has to come back.
    """
    ways = ("lost", "garbage", "cut", "empty", "text", "store lost", "both lost", "folder")
    way = ways[number % len(ways)]
    world = workshop.copy("asked")
    trial = Trial("damaged file", "log", way)
    log = world.store.with_name(world.store.name + ".wal")
    _leave_a_log(world)
    assert log.exists(), "there is no log to be damaged"
    if way in ("lost", "both lost", "empty", "text", "folder", "garbage"):
        log.unlink()
    if way in ("store lost", "both lost"):
        world.store.unlink()
    elif way == "garbage":
        log.write_bytes(generator.randbytes(20_000))
    elif way == "cut":
        os.truncate(log, log.stat().st_size // 2)
    elif way == "empty":
        log.write_bytes(b"")
    elif way == "text":
        log.write_text("no log\n" * 100)
    elif way == "folder":
        log.mkdir()
    for arguments in (["status"], ["load"]):
        ask(world, trial, world.store, *arguments)
    if way == "folder":
        log.rmdir()
    elif way in ("garbage", "text", "cut"):
        # What a person does who is told that the log is damaged.
        log.unlink(missing_ok=True)
    answered = ask(world, trial, world.store, "run")
    if answered.code != 0 and not answered.is_blocked:
        trial.add("blocked", f"evalwh run: {answered.message[:200]}")
    elif ", 0 now, 0 failed" not in answered.text:
        trial.add("doubled", f"asked again: {' '.join(answered.text.split())[-300:]}")
    compare(workshop, JOBS["run"], world, trial, undisturbed(workshop, JOBS["run"]).state)
    return trial


def _leave_a_log(world: World) -> None:
    """Load the run anew, with a writer that ends before it folds the log into the store."""
    world.store.unlink()
    for path in (world.shards / "loaded").glob("*.parquet"):
        path.replace(world.shards / path.name)
    script = (
        "import os, pathlib, duckdb\n"
        "from warehouse import loading\n"
        "seen = []\n"
        f"folder = pathlib.Path({str(world.shards)!r})\n"
        "count = len(list(folder.glob('*.parquet')))\n"
        "def on_shard(file):\n"
        "    seen.append(file)\n"
        "    if len(seen) == count: os._exit(0)\n"
        f"loading.load(folder, pathlib.Path({str(world.store)!r}), on_shard=on_shard)\n"
    )
    said = run(Command((sys.executable, "-c", script), REPOSITORY, world.environment), SECONDS)
    assert said.code == 0, said.text


def damage_warehouse(workshop: Workshop, number: int, generator: random.Random) -> Trial:
    """Damage the warehouse: every reader says so, and asking and loading go on."""
    damage = DAMAGES[number % len(DAMAGES)]
    world = workshop.copy("built")
    trial = Trial("damaged file", "warehouse", damage.name)
    kept = world.folder.with_name(f"{world.folder.name}-kept")
    shutil.copy(world.warehouse, kept)
    run_id = world.run_id()
    damage.do(world.warehouse, generator)
    query = "select count(*), sum(score) from marts.fct_item_scores"
    ask(world, trial, world.warehouse, "sql", query)
    ask(world, trial, world.warehouse, "report")
    ask(world, trial, world.warehouse, "export", run_id, str(world.folder / "exported"))
    for arguments in (["status"], ["load"]):
        said = ask(world, trial, None, *arguments)
        if said.code != 0 and not said.is_blocked:
            trial.add("blocked", f"evalwh {arguments[0]}: {said.message[:200]}")
    put_back(kept, world.warehouse)
    kept.unlink()
    said = run(world.evalwh("sql", query), SECONDS)
    if said.code != 0:
        trial.add("blocked", f"the mended warehouse is refused: {said.message[:200]}")
    return trial


def odd_shards(workshop: Workshop, number: int, generator: random.Random) -> Trial:
    """Shards that are whole and should not be there, or not under that name."""
    world = workshop.copy("shards")
    shards = sorted(world.shards.glob("*.parquet"))
    path = generator.choice(shards)
    trial = Trial("damaged file", "odd shards", ODDITIES[number % len(ODDITIES)])
    is_refused = True
    named = path
    match ODDITIES[number % len(ODDITIES)]:
        case "the same shard under another session's name":
            other = path.name.split(".", 1)[1]
            shutil.copy(path, path.with_name(f"20260101T000000-00000000.{other}"))
            is_refused = False
        case "two shards with swapped names":
            other_path = next(one for one in shards if one.stat().st_size != path.stat().st_size)
            swapped = path.with_name("swapped")
            path.rename(swapped)
            other_path.rename(path)
            swapped.rename(other_path)
        case "the name of another kind":
            parts = path.name.split(".")
            parts[2] = "answers" if parts[2] != "answers" else "items"
            named = path.rename(path.with_name(".".join(parts)))
        case "a kind that there is not":
            parts = path.name.split(".")
            parts[2] = "thoughts"
            named = path.rename(path.with_name(".".join(parts)))
        case "a wrong digest in its name":
            parts = path.name.split(".")
            parts[3] = "0123456789abcdef"
            named = path.rename(path.with_name(".".join(parts)))
        case "written by a later version":
            named = _rewritten(path, lambda table: table, VERSION + 1)
        case "with a column that nobody knows":
            named = _rewritten(
                path, lambda table: table.append_column("mood", pa.nulls(len(table))), VERSION
            )
        case "without one of its columns":
            named = _rewritten(
                path, lambda table: table.drop_columns(table.column_names[0]), VERSION
            )
    said = ask(world, trial, named if is_refused else None, "load")
    if is_refused and said.code == 0:
        trial.add("unsaid", "evalwh load exits with 0")
    lost, doubled = differences(undisturbed(workshop, JOBS["load"]).state, raw_state(world.store))
    if doubled:
        trial.add("doubled", ", ".join(doubled))
    if lost and not is_refused:
        trial.add("lost", ", ".join(lost))
    for arguments in (["status"], ["measure"]):
        ask(world, trial, None, *arguments)
    return trial


ODDITIES = (
    "the same shard under another session's name",
    "two shards with swapped names",
    "the name of another kind",
    "a kind that there is not",
    "a wrong digest in its name",
    "written by a later version",
    "with a column that nobody knows",
    "without one of its columns",
)


def _rewritten(path: Path, change: Callable[[pa.Table], pa.Table], version: int) -> Path:
    """The shard with a change and a right digest."""
    table = change(pq.read_table(path)).replace_schema_metadata({VERSION_KEY: str(version)})
    pq.write_table(table, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    parts = path.name.split(".")
    parts[3] = digest
    return path.rename(path.with_name(".".join(parts)))


def leave_locks(workshop: Workshop, number: int, _: random.Random) -> Trial:
    """Locks of processes that are dead keep nobody out; what kills leave is a matter of `kills`."""
    world = workshop.copy(("nothing", "asked")[number % 2])
    trial = Trial("damaged file", "locks", "locks of the dead")
    world.shards.mkdir(exist_ok=True)
    (world.shards / ".fake_no-model-00000000.lock").touch()
    for path in world.shards.glob(".*.lock"):
        path.write_text("999999\n")
    recover(workshop, JOBS["run"], world, trial)
    return trial


_TRIALS: dict[str, Callable[[Workshop, int, random.Random], Trial]] = {
    "shard": damage_shard,
    "loaded shard": damage_loaded_shard,
    "raw store": damage_store,
    "log": damage_log,
    "warehouse": damage_warehouse,
    "odd shards": odd_shards,
    "locks": leave_locks,
}
