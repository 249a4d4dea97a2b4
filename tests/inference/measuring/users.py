"""Users: who runs the sandbox in a test, root or an ordinary user of this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference.measuring.sandbox import Limits, Program, ProgramResult, Sandbox
from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USERS = ("root", "an ordinary user")
NOBODY = 65534
WALL_SECONDS = 1.0
WORKER_COUNT = 4
"""More than there are cores: what is waited for most is the end of those that never end."""


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that every user can write to, as pytest's are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def run_as(user: str, programs: Sequence[str | Program]) -> list[ProgramResult]:
    """What becomes of the programs in a sandbox of the user's."""
    if (user == "root") == (os.geteuid() == 0):
        with Sandbox(Limits(wall_seconds=WALL_SECONDS), worker_count=WORKER_COUNT) as sandbox:
            return list(sandbox.run_all(programs))
    if user == "root":
        pytest.skip("only root can be root")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no setpriv to become an ordinary user with")
    become = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    with open_folder() as folder:
        shutil.copytree(REPOSITORY / "inference", folder / "inference")
        shutil.copy(Path(__file__).with_name("run_programs.py"), folder)
        subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
        job = {
            "wall_seconds": WALL_SECONDS,
            "worker_count": WORKER_COUNT,
            "programs": [one if isinstance(one, str) else asdict(one) for one in programs],
        }
        result = subprocess.run(
            [*become, _python(become), "run_programs.py"],
            input=json.dumps(job),
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "EVALWH_TEST_SECRET": "x"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    return [ProgramResult(**one) for one in json.loads(result.stdout)]


def _python(become: list[str]) -> str:
    """An interpreter that the ordinary user may start: this one may be in root's own folder."""
    # What becomes the user keeps root's capabilities until it has started the interpreter.
    script = (
        "import os, sys; assert sys.version_info >= (3, 11) and os.access(sys.executable, os.X_OK)"
    )
    for python in (
        str(Path(sys.executable).resolve()),
        "/usr/local/bin/python3",
        "/usr/bin/python3",
    ):
        command = [*become, python, "-c", script]
        if (
            Path(python).exists()
            and not subprocess.run(command, capture_output=True, check=False).returncode
        ):
            return python
    pytest.skip("no Python of 3.11 or newer that an ordinary user may start")
