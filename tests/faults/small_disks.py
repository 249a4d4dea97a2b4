"""Small disks: a tmpfs that a job fills, which is then made larger."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from tests.faults.disks import judge
from tests.faults.jobs import JOBS
from tests.faults.processes import run
from tests.faults.recovering import recover
from tests.faults.troubles import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.jobs import Job
    from tests.faults.worlds import Workshop

SHARES = {
    "run": 4,
    "load": 4,
    "import": 2,
    "measure": 2,
    "migrate": 3,
    "sql --parquet": 1,
    "export": 1,
    "dbt build, scores": 1,
}
"""Small disks of the full campaign, by job."""


def trials(workshop: Workshop, seed: int, shares: dict[str, int]) -> Iterator[Callable[[], Trial]]:
    """So many small disks for each job, with as much room as the seed says; none without root."""
    if os.geteuid() != 0 or not _may_mount(workshop.folder):
        print("small disks are left out: this process may not mount a tmpfs")
        return
    for name, count in shares.items():
        generator = random.Random(f"{seed} {name}")
        for number in range(count):
            share = (number + generator.random()) / count
            yield partial(fill, workshop, JOBS[name], share)


def _may_mount(folder: Path) -> bool:
    try:
        with _mounted(folder / "probe", 1):
            return True
    except subprocess.CalledProcessError:
        return False


@contextmanager
def _mounted(folder: Path, kilobytes: int) -> Iterator[None]:
    folder.mkdir()
    options = f"size={kilobytes}k"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "evalwh-faults", str(folder)],
        check=True,
        capture_output=True,
    )
    try:
        yield
    finally:
        # Lazily: a process that is just ending may still have a file open.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill(workshop: Workshop, job: Job, share: float) -> Trial:
    """Give the job a part of the room that it needs, and later all of it."""
    original = workshop.copy(job.origin)
    before = _kilobytes(original.folder)
    done = workshop.copy(job.origin)
    said = run(job.command(done), 2 * job.seconds)
    assert said.code == 0, said.text[-4_000:]
    # With all that is left at the end there would be room enough.
    room = before + 8 + int(0.8 * share * (_kilobytes(done.folder) - before))
    trial = Trial("small disk", job.name, f"{room - before} kB free")
    folder = original.folder.with_name(f"{original.folder.name}-small")
    with _mounted(folder, room + 16_384):
        shutil.copytree(original.folder, folder, symlinks=True, dirs_exist_ok=True)
        _resize(folder, room)
        world = workshop.at(folder)
        said = run(job.command(world), job.seconds)
        trial.was_disturbed = said.code != 0
        judge(workshop, job, world, trial, said)
        _resize(folder, room + (1 << 20))
        recover(workshop, job, world, trial)
    return trial


def _resize(folder: Path, kilobytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(folder)], check=True)


def _kilobytes(folder: Path) -> int:
    """What the files take, in whole pages, as a tmpfs counts them."""
    sizes = [path.lstat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(-(-size // 4096) * 4 for size in sizes)
