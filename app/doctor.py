"""Doctor: what works on this machine, and what to install or do where something does not."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from inference.errors import DeclarationError, SandboxError
from inference.measuring.sandbox import check_sandbox, missing_layers
from inference.planning.declarations import benchmark_ids, read_benchmark
from warehouse.connection import connect_read_only, warehouse_path
from warehouse.errors import WarehouseError
from warehouse.raw_store import open_raw_store, raw_store_path
from warehouse.storage import why_no_database

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
LOCK = ROOT / ".ci" / "requirements.lock"

OLDEST_PYTHON = (3, 11)
DISK_BYTES = 1 << 30
"""`make run` installs and builds about so much."""
MEMORY_BYTES = 1 << 30
"""`dbt build` of the demonstration takes about half of it."""
EXTENSIONS = ("icu", "json", "parquet")
"""Of DuckDB, that loading and `dbt build` use; its wheels have them built in."""
IMPORT_SECONDS = 180.0
"""SGLang imports torch, which takes long on a cold disk."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one thing that the project uses."""

    subject: str
    works: bool
    is_needed: bool
    """Whether `make run` needs it; the rest is for asking models and for measuring programs."""
    found: str
    advice: str = ""
    """What to install or do where it does not work."""


def examine(cache: Path, python: str | None = None) -> Iterator[Finding]:
    """Everything that may be missing on a machine, one finding after the other.

    `cache` is the folder of benchmark files; `python` the interpreter that should have SGLang,
    null for this one.
    """
    yield python_version()
    yield packages()
    yield duckdb_engine()
    yield disk(warehouse_path().parent)
    yield memory()
    yield raw_store(raw_store_path())
    yield warehouse(warehouse_path())
    yield sandbox()
    yield sglang(python or sys.executable)
    yield gpus()
    yield benchmark_files(cache)


def is_ready(findings: list[Finding]) -> bool:
    """Whether all that `make run` needs works."""
    return all(finding.works for finding in findings if finding.is_needed)


def as_lines(findings: list[Finding]) -> Iterator[str]:
    """The findings for people: a line each, and one more with the advice."""
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        state = "ok" if finding.works else "MISSING" if finding.is_needed else "without"
        yield f"{state:8}{finding.subject:{width}}  {finding.found}"
        if finding.advice:
            yield " " * (10 + width) + finding.advice
    verdict = "works" if is_ready(findings) else "does not work yet"
    yield f"`make run` {verdict} on this machine."


def as_document(findings: list[Finding]) -> dict[str, Any]:
    """The findings for programs."""
    return {"is_ready": is_ready(findings), "findings": [asdict(one) for one in findings]}


def python_version(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The interpreter that runs this."""
    found = f"{'.'.join(map(str, version))} ({sys.executable}) on {platform.platform()}"
    if version >= OLDEST_PYTHON:
        return Finding("Python", True, True, found)
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return Finding("Python", False, True, found, f"Install Python {oldest} or newer.")


def packages(lock: Path = LOCK) -> Finding:
    """What is installed, against the versions that were tested together."""
    required = {
        _normal(re.split(r"[^\w.-]", line)[0])
        for line in importlib.metadata.requires("evalwh") or []
        if "extra ==" not in line
    }
    locked = dict(
        line.strip().split("==")
        for line in (lock.read_text(encoding="utf-8").splitlines() if lock.is_file() else [])
        if "==" in line
    )
    installed = {
        _normal(one.metadata["Name"]): one.version for one in importlib.metadata.distributions()
    }
    missing = sorted(required - set(installed))
    others = [
        f"{name} {installed[_normal(name)]} (tested: {version})"
        for name, version in locked.items()
        if installed.get(_normal(name), version) != version
    ]
    if missing:
        found = f"not installed: {', '.join(missing)}"
        return Finding("packages", False, True, found, "Run `make run`, which installs them.")
    found = f"{len(required)} required, all installed"
    if not others:
        return Finding("packages", True, True, found)
    advice = f"Other versions than in {lock.name}; `pip install -c {lock} -e .` takes those."
    return Finding("packages", True, True, f"{found}; {', '.join(others)}", advice)


def _normal(name: str) -> str:
    """A package's name as registries compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def duckdb_engine() -> Finding:
    """DuckDB and the extensions that are on this machine."""
    with duckdb.connect() as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select extension_name from duckdb_extensions() where installed order by all"
            ).fetchall()
        ]
    found = f"{duckdb.__version__} with {', '.join(names)}"
    missing = [name for name in EXTENSIONS if name not in names]
    if not missing:
        return Finding("DuckDB", True, True, found)
    advice = f"It lacks {', '.join(missing)}: install the wheel `duckdb`, which has them built in."
    return Finding("DuckDB", False, True, found, advice)


def disk(folder: Path, needed: int = DISK_BYTES) -> Finding:
    """Room for data, where data go."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    free = shutil.disk_usage(there).free
    found = f"{free / 1e9:,.1f} GB free at {there}"
    if free >= needed:
        return Finding("disk", True, True, found)
    advice = (
        f"`make run` needs {needed / 1e9:,.1f} GB; make room, or put data elsewhere with"
        " EVALWH_WAREHOUSE, EVALWH_GENERATIONS and EVALWH_SHARDS."
    )
    return Finding("disk", False, True, found, advice)


def memory(needed: int = MEMORY_BYTES, listing: Path = Path("/proc/meminfo")) -> Finding:
    """Memory that programs can have now."""
    if not listing.is_file():
        return Finding("memory", True, True, f"cannot be told: there is no {listing}")
    said = re.search(r"^MemAvailable:\s+(\d+) kB", listing.read_text("utf-8"), re.MULTILINE)
    if said is None:
        return Finding("memory", True, True, f"cannot be told: {listing} has no MemAvailable")
    available = int(said[1]) * 1024
    found = f"{available / 1e9:,.1f} GB available"
    if available >= needed:
        return Finding("memory", True, True, found)
    return Finding("memory", False, True, found, f"`dbt build` takes {needed / 1e9:,.1f} GB.")


def raw_store(path: Path) -> Finding:
    """Answers that were loaded."""
    if not why_no_database(path) and not path.exists():
        return Finding("raw store", True, True, f"none yet at {path}; loading makes it")
    try:
        with open_raw_store(path, read_only=True, patience_seconds=1) as connection:
            count = connection.execute("select count(*) from raw.answers").fetchall()[0][0]
    except (WarehouseError, duckdb.Error) as error:
        advice = "Wait for whoever holds it; if it is damaged, put it aside and load the shards."
        return Finding("raw store", False, True, f"{path}: {error}", advice)
    return Finding("raw store", True, True, f"{count:,} answers in {path}")


def warehouse(path: Path) -> Finding:
    """The last build."""
    if not why_no_database(path) and not path.exists():
        return Finding("warehouse", True, True, f"none yet at {path}; `make run` builds it")
    try:
        with connect_read_only(path) as connection:
            (builds,) = connection.execute(
                "select arg_max(finished_at, build_number) from meta.builds"
            ).fetchall()[0]
    except (WarehouseError, duckdb.Error) as error:
        advice = "Wait for a running build; if it is damaged, delete it and run `dbt build`."
        return Finding("warehouse", False, True, f"{path}: {error}", advice)
    if builds is None:
        advice = "Run `dbt build`; its output says what fails."
        return Finding("warehouse", True, True, f"{path} has no complete build", advice)
    return Finding("warehouse", True, True, f"{path}, built {builds:%Y-%m-%d %H:%M} UTC")


def sandbox() -> Finding:
    """Whether generated programs can be run: one is."""
    try:
        check_sandbox()
    except SandboxError as error:
        advice = "Without it the programs of your own runs have no score."
        if shutil.which("bwrap") is None:
            advice += " On Debian and Ubuntu: apt-get install bubblewrap."
        advice += "".join(f" {setting}." for setting in _closed_namespaces())
        return Finding("sandbox", False, False, str(error), advice)
    found = f"{shutil.which('bwrap')} ran a program in namespaces and behind a filter of its own"
    missing = missing_layers()
    if not missing:
        return Finding("sandbox", True, False, f"{found}, with all layers")
    return Finding("sandbox", True, False, f"{found}; without: {'; '.join(missing)}")


SETTINGS = {
    "user/max_user_namespaces": ("0", "greater than 0"),
    "kernel/unprivileged_userns_clone": ("0", "1"),
    "kernel/apparmor_restrict_unprivileged_userns": ("1", "0, or give bwrap an AppArmor profile"),
}
"""Of the kernel, that keep ordinary users from making namespaces: the value that does, and what
to set."""


def _closed_namespaces(folder: Path = Path("/proc/sys")) -> Iterator[str]:
    for name, (closed, wanted) in SETTINGS.items():
        path = folder / name
        if path.is_file() and path.read_text("utf-8").strip() == closed:
            yield f"The kernel's {name.replace('/', '.')} is {closed}; set it to {wanted}"


def sglang(python: str) -> Finding:
    """SGLang in the Python that is named, by importing it there."""
    script = "import sglang, importlib.metadata as m; print(m.version('sglang'))"
    advice = (
        "To serve models here: pip install 'evalwh[sglang]', or name the Python that has it with"
        " --python or EVALWH_SGLANG_PYTHON. A running server needs none of it (--endpoint)."
    )
    try:
        result = subprocess.run(
            [python, "-c", script],
            capture_output=True,
            text=True,
            timeout=IMPORT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("SGLang", False, False, f"{python}: {error}", advice)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
        return Finding("SGLang", False, False, f"{python}: {reason}", advice)
    return Finding("SGLang", True, False, f"{result.stdout.split()[-1]} in {python}")


def gpus() -> Finding:
    """GPUs by NVIDIA's own word."""
    advice = "Without a GPU: `evalwh serve --cpu`, or a server elsewhere with --endpoint."
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("GPUs", False, False, "there is no nvidia-smi", advice)
    result = subprocess.run(
        [program, "--query-gpu=name,memory.total", "--format=csv,noheader"],
        capture_output=True,
        text=True,
        check=False,
    )
    names = result.stdout.strip().splitlines()
    if result.returncode or not names:
        said = (result.stderr or result.stdout).strip() or f"exit code {result.returncode}"
        return Finding("GPUs", False, False, f"{program}: {said}", advice)
    return Finding("GPUs", True, False, "; ".join(names))


def benchmark_files(cache: Path) -> Finding:
    """How many benchmarks have all of their files in the cache; hashes are not computed here."""
    lacking = []
    names = benchmark_ids()
    for name in names:
        try:
            sources = read_benchmark(name).sources
        except DeclarationError as error:
            return Finding("benchmarks", False, False, str(error), "Mend the declaration.")
        if not all(
            (cache / source.path.replace("{name}", file)).is_file()
            or (source.stand_in is not None and (cache / source.stand_in.path).is_file())
            for source in sources
            for file in source.hashes
        ):
            lacking.append(name)
    found = f"{len(names) - len(lacking)} of {len(names)} have their files in {cache}"
    if not lacking:
        return Finding("benchmarks", True, False, found)
    wanted = "" if lacking == names else f" {' '.join(lacking)}"
    advice = f"`evalwh fetch{wanted}` brings them; demonstration items need none."
    return Finding("benchmarks", False, False, found, advice)
