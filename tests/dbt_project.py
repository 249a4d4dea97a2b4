"""The dbt project under test: running dbt on it, and copies of it that a test may damage."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.shared import made_once

REPOSITORY = Path(__file__).resolve().parents[1]

DBT = Path(sys.executable).parent / "dbt"

READ_BY_DBT = (
    *("models", "warehouse", "analyses", "tests/warehouse"),
    *("dbt_project.yml", ".dbtignore", "selectors.yml"),
)


BUILT = "built_warehouse"
"""Folder of a worker's copy of the one build that its tests share."""

SAID = "said.txt"
"""In it, what dbt said of that build."""


class Parsed:
    """The project as dbt parsed it, which takes longer than building most of what a test needs."""

    folder: Path | None = None
    """Where the workers of a session share it; without, each folder has the project parsed anew."""


def run_dbt(
    *arguments: str, project_dir: Path | None = None, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """The finished `dbt ARGUMENTS`; its output is in `stdout`.

    `env` is added to the environment and has to say where everything is written, so that no
    test touches the files of the person who runs it: `dbt_environment` gives its variables.
    The project is that of the repository, or the copy in `project_dir`, in the same folder.
    """
    return _finished(start_dbt(*arguments, project_dir=project_dir, env=env))


def start_dbt(
    *arguments: str, project_dir: Path | None = None, env: dict[str, str]
) -> subprocess.Popen[str]:
    """As `run_dbt`, at work."""
    project = _prepared(env, project_dir)
    return _started(str(DBT), "--no-use-colors", *arguments, project=project, env=env)


def run_dbt_commands(
    commands: list[list[str]], *, project_dir: Path | None = None, env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """As `run_dbt`, several commands one after the other; the first that fails is the last.

    They share a process: most of what a command takes that only reads is to load dbt.
    """
    project = _prepared(env, project_dir)
    program = (sys.executable, "-c", COMMANDS, json.dumps(commands))
    return _finished(_started(*program, project=project, env=env))


COMMANDS = """
import json, sys
from dbt.cli.main import dbtRunner
for command in json.loads(sys.argv[1]):
    if not dbtRunner().invoke(["--no-use-colors", *command]).success:
        sys.exit(1)
"""


def parse(folder: Path) -> None:
    """Have dbt parse the project, with what it writes in `folder`."""
    project = linked_project(folder)
    said = _finished(_started(str(DBT), "parse", project=project, env=dbt_environment(folder)))
    assert said.returncode == 0, said.stdout


def _prepared(env: dict[str, str], project_dir: Path | None = None) -> Path:
    """The project to run dbt in, with what has been parsed already."""
    assert dbt_environment(REPOSITORY).keys() <= env.keys()
    target = Path(env["DBT_TARGET_PATH"])
    assert target.parent.name != BUILT or target.name != "target", "others read this build's target"
    if Parsed.folder and not target.exists():
        target.mkdir()
        parsed = made_once(Parsed.folder, parse)
        shutil.copy(parsed / "target" / "partial_parse.msgpack", target)
    return project_dir or linked_project(target.parent)


def _finished(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    with process:
        try:
            stdout, _ = process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout)


def _started(*program: str, project: Path, env: dict[str, str]) -> subprocess.Popen[str]:
    # dbt takes up what it parsed under the same addresses only: they are relative to the project,
    # and so the same in every folder.
    addresses = {
        name: os.path.relpath(path, project) if Path(path).is_absolute() else path
        for name, path in env.items()
        if name in dbt_environment(REPOSITORY)
    }
    return subprocess.Popen(
        program,
        cwd=project,
        env={
            **os.environ,
            "DBT_PROFILES_DIR": "warehouse",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **env,
            **addresses,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def dbt_environment(directory: Path) -> dict[str, str]:
    """The environment in which dbt writes below `directory` only."""
    return {
        "EVALWH_WAREHOUSE": str(directory / "warehouse.duckdb"),
        "EVALWH_GENERATIONS": str(directory / "generations.duckdb"),
        "DBT_TARGET_PATH": str(directory / "target"),
        "DBT_LOG_PATH": str(directory / "logs"),
    }


def linked_project(directory: Path) -> Path:
    """A folder in `directory` that holds what dbt reads, as links to the repository."""
    project = directory / "project"
    for name in READ_BY_DBT:
        link = project / name
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(REPOSITORY / name)
    return project


def copy_project(directory: Path) -> Path:
    """A copy in `directory` of what dbt reads, for a test that damages some of it."""
    written = shutil.ignore_patterns("target", "logs", "dbt_packages", "__pycache__", "demo")
    project = directory / "project"
    for name in READ_BY_DBT:
        original, copy = REPOSITORY / name, project / name
        if original.is_dir():
            shutil.copytree(original, copy, ignore=written)
        else:
            shutil.copy(original, copy)
    return project
