"""Where C++ ends the process, that says a sentence and exits with 1, and else is aborted."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.dbt_project import REPOSITORY

SCRIPT = """
import ctypes, pathlib, sys
import duckdb
from warehouse.last_words import last_words

def terminate():
    name = {"linux": "libstdc++.so.6", "darwin": "libc++abi.dylib"}[sys.platform]
    ctypes.CDLL(name)["_ZSt9terminatev"]()

folder = pathlib.Path(sys.argv[2])
print("printed before", end="")
with last_words("the outer sentence"):
    with last_words("the sentence", leftover=folder):
        if sys.argv[1] == "within":
            terminate()
    if sys.argv[1] == "between":
        terminate()
terminate()
"""


@pytest.mark.parametrize(
    ("when", "code", "said", "is_left"),
    [
        ("within", 1, "Error: the sentence\n", False),
        ("between", 1, "Error: the outer sentence\n", True),
        ("after", -signal.SIGABRT, "", True),
    ],
)
def test_the_innermost_sentence_is_said(when, code, said, is_left, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("half")
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, when, str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == code
    assert ended.stderr.startswith(said)
    assert ("Error:" in ended.stderr) == bool(said)
    assert folder.exists() == is_left
    if said:
        assert ended.stderr == said
        assert ended.stdout == "printed before"
