"""Control groups: limits on memory and processes that the kernel adds up, where it is asked to.

Only version 2, and only where this process may make groups: a group's own limits need its
controllers switched on in the folder above, by whoever runs the machine (systemd does for each
user, `systemd-run --user --scope evalwh measure` is in such a folder; most containers do not).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
NEEDED = {"memory", "pids"}

_numbers = itertools.count()


def base(root: Path = ROOT, own: Path = OWN) -> tuple[Path | None, str]:
    """The folder that groups can be made in, or null; and where it is, or why there is none."""
    if not (root / "cgroup.controllers").is_file():
        first = "version 1 is mounted" if (root / "memory").is_dir() else "version 2 is not"
        return None, f"{first} at {root}"
    named = [
        line.removeprefix("0::") for line in own.read_text().splitlines() if line.startswith("0::")
    ]
    if not named:
        return None, f"{own} names no control group of version 2"
    mine = root / named[0].strip("/")
    for folder in (mine, mine.parent):
        control = folder / "cgroup.subtree_control"
        if not folder.is_relative_to(root) or not control.is_file():
            continue
        is_given = set(control.read_text().split()) >= NEEDED
        if is_given and os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK):
            return folder, str(folder)
    return (
        None,
        f"{mine} has no memory and pids delegated to this user",
    )


class ControlGroup:
    """A group with limits; remove it when its processes are gone."""

    def __init__(self, folder: Path, *, memory_bytes: int, process_count: int) -> None:
        self.path = folder / f"evalwh-{os.getpid()}-{next(_numbers)}"
        self.path.mkdir()
        (self.path / "memory.max").write_text(str(memory_bytes))
        (self.path / "pids.max").write_text(str(process_count))
        # Of kernels without swap or CPU control, which the limits above do not need.
        for name, value in (("memory.swap.max", "0"), ("cpu.max", "100000 100000")):
            if (self.path / name).is_file():
                (self.path / name).write_text(value)

    def entered(self, command: list[str]) -> list[str]:
        """`command`, started within the group from its first moment on."""
        script = 'echo $$ > "$0" && exec "$@"'
        return ["/bin/sh", "-c", script, str(self.path / "cgroup.procs"), *command]

    def remove(self, patience_seconds: float = 2.0) -> None:
        """Remove the group; the kernel takes a moment to see that it is empty."""
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.path.rmdir()
                return
            time.sleep(0.02)
