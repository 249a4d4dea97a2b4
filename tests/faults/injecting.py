"""Injecting: a command under the injector, which counts its calls and disturbs one of them."""

from __future__ import annotations

import dataclasses
import errno
import os
import struct
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.faults.worlds import WRITTEN_BY_DBT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.processes import Command
    from tests.faults.worlds import Workshop, World

AREA_SIZE = 1024
"""As in injector.c."""


@dataclass(frozen=True, slots=True)
class Injection:
    """What becomes of one call of many that change files."""

    at: int = 0
    """Number of the call, from 1; 0 only counts."""
    error: int = 0
    """The errno with which it fails; 0 for none."""
    lasts: bool = False
    """Whether all later calls fail, too."""
    kill: str = ""
    """`before` or `after` the call."""
    clock: int = 0
    """Seconds by which the clock is moved."""

    def __str__(self) -> str:
        if self.kill:
            return f"killed {self.kill} file call {self.at}"
        if self.error:
            until = " on" if self.lasts else ""
            return f"{errno.errorcode[self.error]} at file call {self.at}{until}"
        since = f"from file call {self.at} on" if self.at else "from the start"
        return f"clock moved by {self.clock} s {since}"


@dataclass(frozen=True, slots=True)
class Injected:
    """A command with an injection, and what has come of it."""

    command: Command
    area: Path

    @property
    def call_count(self) -> int:
        """Calls that the injection could have hit."""
        count: int = struct.unpack_from("q", self.area.read_bytes())[0]
        return count

    @property
    def hit(self) -> str:
        """The call that was hit and its file; empty if none was."""
        content = self.area.read_bytes()
        if not struct.unpack_from("q", content, 8)[0]:
            return ""
        call, path = (
            content[start:end].split(b"\0")[0].decode(errors="replace")
            for start, end in ((24, 56), (56, 568))
        )
        return f"{call} {path}"


def injected(workshop: Workshop, world: World, command: Command, injection: Injection) -> Injected:
    """The command, to be run with the injection on the files of its world.

    What dbt writes of itself (its log, what it parsed) is left out.
    """
    area = workshop.folder / f"area-{uuid.uuid4().hex}"
    area.write_bytes(bytes(AREA_SIZE))
    told = {
        "LD_PRELOAD": str(workshop.injector),
        "EVALWH_FAULT_AREA": str(area),
        "EVALWH_FAULT_FOLDERS": str(world.folder),
        "EVALWH_FAULT_EXCEPT": os.pathsep.join(
            str(world.folder / name) for name in sorted(WRITTEN_BY_DBT)
        ),
        "EVALWH_FAULT_AT": str(injection.at),
        "EVALWH_FAULT_ERROR": str(injection.error),
        "EVALWH_FAULT_LASTS": str(int(injection.lasts)),
        "EVALWH_FAULT_KILL": injection.kill,
        "EVALWH_FAULT_CLOCK": str(injection.clock),
    }
    environment = {**command.environment, **told}
    return Injected(dataclasses.replace(command, environment=environment), area)
