"""The doctor, on machines that lack something: real ones, made so by paths and variables."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from app import doctor
from tests.dbt_project import REPOSITORY
from warehouse.raw_store import open_raw_store

EVALWH = str(Path(sys.executable).parent / "evalwh")


@pytest.fixture
def examined(tmp_path):
    """Runs the command in an environment of the test's own; gives exit code and findings."""

    def run(**changes):
        environment = {
            **os.environ,
            "EVALWH_GENERATIONS": str(tmp_path / "generations.duckdb"),
            "EVALWH_WAREHOUSE": str(tmp_path / "warehouse.duckdb"),
            "EVALWH_BENCHMARKS": str(tmp_path / "benchmarks"),
            **changes,
        }
        result = subprocess.run(
            [EVALWH, "doctor", "--format", "json"],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not result.stderr
        said = json.loads(result.stdout)
        assert said["is_ready"] is (result.returncode == 0)
        return result.returncode, {one["subject"]: one for one in said["findings"]}

    return run


def program(folder, name, text):
    """A folder to be searched for programs, which has that one."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(folder)


def test_a_bare_machine_is_ready_and_told_what_it_lacks(examined, tmp_path):
    code, found = examined(PATH=str(tmp_path))
    assert code == 0
    assert all(one["works"] for one in found.values() if one["is_needed"])
    assert not found["sandbox"]["works"]
    assert "apt-get install bubblewrap" in found["sandbox"]["advice"]
    assert not found["GPUs"]["works"]
    assert "--cpu" in found["GPUs"]["advice"]
    assert found["benchmarks"]["found"].startswith("0 of 20")
    assert "`evalwh fetch`" in found["benchmarks"]["advice"]
    assert all(one["advice"] for one in found.values() if not one["works"])
    # It looked, and made nothing.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow(seconds=1)
@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_a_sandbox_that_cannot_be_built_is_found_by_building_it(examined, tmp_path):
    _, found = examined()
    assert found["sandbox"]["works"]
    folder = program(
        tmp_path / "bin", "bwrap", "echo 'No permissions to create namespace' >&2; exit 1"
    )
    code, found = examined(PATH=folder)
    assert code == 0
    assert not found["sandbox"]["works"]
    assert "No permissions to create namespace" in found["sandbox"]["found"]
    assert "no score" in found["sandbox"]["advice"]


def test_closed_namespaces_are_named_with_what_to_set(tmp_path):
    for name, (closed, wanted) in doctor.SETTINGS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("3\n")
        assert list(doctor._closed_namespaces(tmp_path)) == []
        path.write_text(f"{closed}\n")
        (said,) = doctor._closed_namespaces(tmp_path)
        assert name.replace("/", ".") in said
        assert wanted in said
        path.unlink()


@pytest.mark.parametrize(
    ("variable", "subject"),
    [("EVALWH_GENERATIONS", "raw store"), ("EVALWH_WAREHOUSE", "warehouse")],
)
def test_a_file_that_is_no_database_stops_make_run(variable, subject, examined, tmp_path):
    path = tmp_path / "no.duckdb"
    path.write_bytes(b"no database" * 1000)
    code, found = examined(**{variable: str(path)})
    assert code == 1
    assert [one["subject"] for one in found.values() if one["is_needed"] and not one["works"]] == [
        subject
    ]
    assert str(path) in found[subject]["found"]
    assert found[subject]["advice"]


def test_a_raw_store_that_is_being_written_is_said_to_be(tmp_path):
    path = tmp_path / "generations.duckdb"
    with open_raw_store(path):
        pass
    assert doctor.raw_store(path).found == f"0 answers in {path}"
    hold = f"import duckdb; c = duckdb.connect({str(path)!r}); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline()
        found = doctor.raw_store(path)
        holder.communicate(b"\n")
    assert not found.works
    assert "another process" in found.found


def test_a_warehouse_without_a_complete_build_says_so(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema meta")
        connection.execute("create table meta.builds (build_number integer, finished_at timestamp)")
    assert doctor.warehouse(path).found == f"{path} has no complete build"
    assert "dbt build" in doctor.warehouse(path).advice
    with duckdb.connect(str(path)) as connection:
        connection.execute("insert into meta.builds values (2, '2026-01-02 03:04:05')")
    assert doctor.warehouse(path).found == f"{path}, built 2026-01-02 03:04 UTC"


@pytest.mark.slow(seconds=1)
def test_sglang_is_found_by_importing_it(examined, tmp_path):
    _, found = examined(PYTHONPATH=str(tmp_path))
    assert not found["SGLang"]["works"]
    assert "No module named 'sglang'" in found["SGLang"]["found"]
    assert "EVALWH_SGLANG_PYTHON" in found["SGLang"]["advice"]
    (tmp_path / "sglang.py").write_text("")
    (tmp_path / "sglang-0.5.23.dist-info").mkdir()
    (tmp_path / "sglang-0.5.23.dist-info" / "METADATA").write_text(
        "Name: sglang\nVersion: 0.5.23\n"
    )
    _, found = examined(PYTHONPATH=str(tmp_path))
    assert found["SGLang"]["works"]
    assert found["SGLang"]["found"].startswith(f"0.5.23 in {Path(sys.executable).parent}")
    _, found = examined(EVALWH_SGLANG_PYTHON=str(tmp_path / "python"))
    assert "No such file" in found["SGLang"]["found"]


@pytest.mark.parametrize(
    ("script", "works", "message"),
    [
        ("echo 'A GPU, 80 MiB'; echo 'A GPU, 80 MiB'", True, "A GPU, 80 MiB; A GPU, 80 MiB"),
        ("echo 'the driver does not answer' >&2; exit 9", False, "the driver does not answer"),
        ("exit 0", False, "exit code 0"),
    ],
)
def test_gpus_are_those_that_answer(script, works, message, examined, tmp_path):
    _, found = examined(PATH=program(tmp_path / "bin", "nvidia-smi", script))
    assert found["GPUs"]["works"] is works
    assert message in found["GPUs"]["found"]


def test_too_old_a_python_too_full_a_disk_too_little_memory(tmp_path):
    assert doctor.python_version((3, 11, 0)).works
    assert "3.11" in doctor.python_version((3, 10, 14)).advice
    assert doctor.disk(tmp_path / "not" / "there").works
    full = doctor.disk(tmp_path, needed=1 << 60)
    assert not full.works
    assert "EVALWH_WAREHOUSE" in full.advice
    listing = tmp_path / "meminfo"
    listing.write_text("MemTotal: 9 kB\nMemAvailable:     1024 kB\n")
    assert not doctor.memory(listing=listing).works
    assert doctor.memory(needed=1 << 20, listing=listing).works
    assert "cannot be told" in doctor.memory(listing=tmp_path / "nothing").found


def test_packages_are_compared_with_the_lock(tmp_path, monkeypatch):
    version = duckdb.__version__
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"# a comment\nDuckDB=={version}\nnot_installed==1\n")
    assert doctor.packages(lock).works
    assert not doctor.packages(lock).advice
    lock.write_text("duckdb==0.0.1\n")
    assert f"duckdb {version} (tested: 0.0.1)" in doctor.packages(lock).found
    assert "pip install -c" in doctor.packages(lock).advice
    monkeypatch.setattr(
        "importlib.metadata.requires", lambda _: ["not-there>=1", "x; extra == 'd'"]
    )
    assert not doctor.packages(lock).works
    assert doctor.packages(lock).found == "not installed: not-there"


def test_the_extensions_that_are_used_are_there():
    assert doctor.duckdb_engine().works


def test_people_read_a_line_each_and_the_advice():
    findings = [
        doctor.Finding("disk", True, True, "room"),
        doctor.Finding("GPUs", False, False, "none", "Buy one."),
    ]
    lines = list(doctor.as_lines(findings))
    assert lines[:2] == ["ok      disk  room", "without GPUs  none"]
    assert lines[2].strip() == "Buy one."
    assert lines[-1] == "`make run` works on this machine."
    findings.append(doctor.Finding("memory", False, True, "little", "More."))
    assert list(doctor.as_lines(findings))[-1] == "`make run` does not work yet on this machine."
