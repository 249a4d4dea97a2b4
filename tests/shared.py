"""What is made once in a session of tests, for all of its workers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder of this session, which all its workers know."""
    own = factory.getbasetemp()
    # A worker's own folder is in the session's.
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, filled by `make` in the worker that comes first; the others wait for it.

    What `make` raises is raised in every worker: each tries it anew.
    """
    is_made = folder.with_name(f"{folder.name}.made")
    with FileLock(f"{folder}.lock"):
        if not is_made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            is_made.touch()
    return folder


def left_by_a_kill(path: Path) -> Path:
    """What a process leaves beside `path` that is killed while it writes it."""
    killed = (
        "import os, pathlib, signal, sys; from warehouse.whole_files import whole_file\n"
        "with whole_file(pathlib.Path(sys.argv[1])) as written:\n"
        "    written.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", killed, str(path)], check=False, timeout=60)
    (left,) = path.parent.glob(f".{path.name}.*.tmp")
    return left
