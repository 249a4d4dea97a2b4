"""What a real server on a machine without a GPU needs."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent

MODEL_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"


@contextmanager
def cpu_environment() -> Iterator[None]:
    """Variables for a server without CUDA, inherited by the processes that are started."""
    values = {
        "PYTHONPATH": str(HERE / "cpu_shim"),
        "EVALWH_CPU_FAST_ATTENTION": "1",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "2",
        "TOKENIZERS_PARALLELISM": "false",
    }
    with mock.patch.dict(os.environ, values):
        yield


def converted_model(python: str, name: str = "smollm2-135m-instruct") -> Path:
    """Folder of a small model, converted once and kept beside the environment of `python`."""
    folder = Path(python).absolute().parents[1] / "models" / name
    folder.parent.mkdir(exist_ok=True)
    subprocess.run([python, str(HERE / "small_models.py"), folder.name, str(folder)], check=True)
    return folder


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
