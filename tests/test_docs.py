"""What is not in the documentation does not exist for its readers."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

import click
import pytest

from app.cli import main
from inference.planning.declarations import benchmark_ids, protocols_of, read_benchmark
from tests.dbt_project import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
DOCUMENTATION = README + (REPOSITORY / "models" / "overview.md").read_text(encoding="utf-8")
ROOMS = ("inference", "warehouse", "models", "analyses", "app", "tests", ".github")
PAGES = sorted(
    page
    for pattern in ("*.md", *(f"{room}/**/*.md" for room in ROOMS))
    for page in REPOSITORY.glob(pattern)
    if "target" not in page.parts
)
"""Every page of Markdown that is written by hand."""


def commands(group: click.Group, prefix: str) -> list[str]:
    """Every command below `group`, as it is typed."""
    found = []
    for name, command in group.commands.items():
        typed = f"{prefix} {name}"
        found += commands(command, typed) if isinstance(command, click.Group) else [typed]
    return found


def stems(pattern: str) -> list[str]:
    found = sorted(p.stem for p in REPOSITORY.glob(pattern) if not p.stem.startswith("_"))
    assert found, f"nothing matches {pattern}"
    return found


@pytest.mark.parametrize("command", commands(main, "evalwh"))
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"\b{command}\b", DOCUMENTATION)


@pytest.mark.parametrize("mart", stems("models/marts/*.sql"))
def test_every_mart_is_documented(mart: str) -> None:
    assert re.search(rf"\b{mart}\b", DOCUMENTATION)


@pytest.mark.parametrize("view", stems("app/views/*.py"))
def test_every_view_is_documented(view: str) -> None:
    assert re.search(rf"\b{view.replace('_', '[ _-]')}\b", DOCUMENTATION, re.IGNORECASE)


@pytest.mark.parametrize("analysis", stems("analyses/*.sql"))
def test_every_analysis_is_documented(analysis: str) -> None:
    assert re.search(rf"\b{analysis}\b", DOCUMENTATION)


def test_every_verb_that_is_named_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    verbs = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    # A verb is named in backticks or begins a line of a code block; "make sense" does neither.
    names = ("README.md", "CONTRIBUTING.md", "overview.md", "SECURITY.md")
    pages = [page for page in PAGES if page.name in names]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    assert {"run", "test"} <= named
    assert named - verbs == set()


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The names by which headings are linked: lower case, no punctuation, hyphens for spaces."""
    headings = re.findall(
        r"^#+ (.*)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = without_code(page.read_text(encoding="utf-8"))
    # Links of dbt's own pages begin with `#!`.
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("#!")]
    broken = []
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_pages_link_to_each_other() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in re.findall(r"\]\(([^):\s]+)\)", page.read_text(encoding="utf-8"))
    }
    read_first = {"CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"}
    assert {REPOSITORY / name for name in read_first} <= linked


def test_the_page_of_benchmarks_has_every_protocol() -> None:
    page = (REPOSITORY / "inference" / "benchmarks" / "README.md").read_text(encoding="utf-8")
    listed = {
        (protocol, benchmark)
        for protocol, benchmarks in re.findall(r"^\| `(\w+)` \| (`[^|]*`) \|", page, re.MULTILINE)
        for benchmark in re.findall(r"`(\w+)`", benchmarks)
    }
    declared = {
        (protocol, benchmark)
        for benchmark in benchmark_ids()
        for protocol in protocols_of(benchmark)
        if protocol != "reference"
    }
    assert listed == declared


def test_the_declaration_that_is_shown_is_the_declared_one() -> None:
    page = (REPOSITORY / "inference" / "benchmarks" / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    shown = tomllib.loads(block)
    folder = REPOSITORY / "inference" / "benchmarks" / shown["benchmark_id"]
    declared = tomllib.loads((folder / "benchmark.toml").read_text(encoding="utf-8"))
    assert shown == {key: declared[key] for key in shown}


def test_the_readme_names_every_benchmark_whose_prompts_changed() -> None:
    table = README.partition("### Prompts changed in 0.2.0")[2].partition("\n## ")[0]
    named = re.sub(r"[^a-z0-9]", "", table.lower())
    changed = [name for name in benchmark_ids() if read_benchmark(name).protocol_version != "1"]
    assert changed
    # XL-Sum is xlsum_ja here, and WMT20 both directions.
    short = {re.sub(r"_(ja|en|full).*", "", name) for name in changed}
    assert {name for name in short if name not in named} == set()
