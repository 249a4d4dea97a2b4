"""Mutants: faults that an estimator could have, each with the tests that must find it.

Every one of them once lived: the tests of the day passed. Each is put into a copy of the project,
where its tests are run, and have to fail.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COPIED = ("models", "tests", "warehouse", "analyses")
LINKED = ("app", "inference", "pyproject.toml", "dbt_project.yml", ".dbtignore", "selectors.yml")

JACKKNIFE = "models/estimation/jackknife.py"
ANALYSIS = "models/estimation/component_analysis.py"
ROBUST = "models/estimation/cluster_robust.py"
COMPONENTS = "models/estimation/principal_components.py"
CORRELATIONS = "models/intermediate/int_benchmark_correlations.sql"

OF_ERRORS = "tests/models/test_lineage_errors.py"
OF_JACKKNIFE = "tests/models/test_jackknife.py::test_the_error_of_a_mean_is_the_textbooks"
OF_SLOPES = "tests/models/test_cluster_robust.py::test_the_jackknife_equals_refits_by_hand"
OF_SQL = "tests/statistics/test_correlations.py"


class Mutant(NamedTuple):
    """One fault."""

    name: str
    path: str
    sound: str
    """Text of the file that makes it sound, however often it stands there."""
    faulty: str
    tests: str
    """Those that find the fault."""

    def put_into(self, project: Path) -> None:
        """Write the fault into the copy of the project."""
        file = project / self.path
        text = file.read_text(encoding="utf-8")
        if self.sound not in text:
            raise LookupError(f"{self.name}: {self.path} has no {self.sound!r} any more")
        file.write_text(text.replace(self.sound, self.faulty), encoding="utf-8")


MUTANTS = (
    Mutant(
        "Student's t of the jackknife with G - 2",
        JACKKNIFE,
        "stdtrit(self._plain.count - 1,",
        "stdtrit(self._plain.count - 2,",
        OF_JACKKNIFE,
    ),
    Mutant(
        "Student's t of CV3 slopes with G - 2",
        ROBUST,
        "np.maximum(own, plain), lineage_count - 1, confidence",
        "np.maximum(own, plain), lineage_count - 2, confidence",
        OF_SLOPES,
    ),
    Mutant(
        "Student's t of correlations with G - 2",
        CORRELATIONS,
        "(lineage_count - 1)::double",
        "(lineage_count - 2)::double",
        OF_SQL,
    ),
    Mutant(
        "errors of abilities doubled",
        ANALYSIS,
        "estimation=ability.uncertainty(confidence).standard_error",
        "estimation=2.0 * ability.uncertainty(confidence).standard_error",
        OF_ERRORS,
    ),
    Mutant(
        "errors of abilities divided by the root of G - 1",
        ANALYSIS,
        "estimation=ability.uncertainty(confidence).standard_error",
        "estimation=ability.uncertainty(confidence).standard_error"
        " / np.sqrt(len(group_labels) - 1)",
        OF_ERRORS,
    ),
    Mutant(
        "replicates not matched",
        ANALYSIS,
        "matched = linear_sum_assignment(np.abs(products), maximize=True)[1]",
        "matched = np.arange(len(products))",
        OF_ERRORS,
    ),
    Mutant(
        "replicates not turned",
        ANALYSIS,
        "signs = np.where(products[np.arange(len(matched)), matched] < 0.0, -1.0, 1.0)",
        "signs = np.ones(len(matched))",
        OF_ERRORS,
    ),
    Mutant(
        "no rule about the sum of the first component",
        COMPONENTS,
        "if abs(total) > 1e-9:",
        "if abs(total) > 1e9:",
        OF_ERRORS,
    ),
    Mutant(
        "ranks without the factor of Bonett and Wright",
        CORRELATIONS,
        "sqrt((1 + power(spearman, 2) / 2) / (model_count - 3))",
        "sqrt(1 / (model_count - 3))",
        OF_SQL,
    ),
)


@contextmanager
def copied_project() -> Iterator[Path]:
    """What the tests read, in a folder of its own."""
    written = shutil.ignore_patterns("target", "logs", "dbt_packages", "__pycache__")
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        project = Path(name)
        for folder in COPIED:
            shutil.copytree(REPOSITORY / folder, project / folder, ignore=written)
        for entry in LINKED:
            (project / entry).symlink_to(REPOSITORY / entry)
        yield project


def passes(project: Path, tests: str) -> bool:
    """Whether the tests pass; raises if they could not be run."""
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", tests],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode > 1:
        raise subprocess.SubprocessError(f"{tests}: {said.stdout[-4_000:]}{said.stderr[-4_000:]}")
    return said.returncode == 0


def lives(mutant: Mutant) -> bool:
    """Whether the tests pass with the fault."""
    with copied_project() as project:
        mutant.put_into(project)
        return passes(project, mutant.tests)


def living(say: Callable[[str], None]) -> list[Mutant]:
    """The mutants that live, after each was tried."""
    with copied_project() as project:
        for tests in sorted({mutant.tests for mutant in MUTANTS}):
            if not passes(project, tests):
                raise LookupError(f"{tests} fails without any fault: no mutant can be told by it")
    found = []
    for mutant in MUTANTS:
        is_alive = lives(mutant)
        say(f"{'LIVES' if is_alive else 'dies '} {mutant.name}: {mutant.tests}")
        if is_alive:
            found.append(mutant)
    return found
