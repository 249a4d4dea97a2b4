"""The claims as Markdown: every verdict and every vote that the marts have, and no other word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import duckdb
import pytest
from click.testing import CliRunner

from app.cli import main
from app.findings import BEGINNING, END

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow(seconds=3)


@pytest.fixture
def typed(built_warehouse: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVALWH_WAREHOUSE", str(built_warehouse))
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def rows(text: str) -> list[list[str]]:
    """The cells of all rows of tables, as they read."""
    return [
        [cell.strip().replace("\\", "") for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]


def test_the_report_has_every_verdict_and_every_vote(typed, built_warehouse):
    result = typed("report", "--markdown")
    assert result.exit_code == 0, result.output
    summary, *panels = re.split(r"^## On the panel ", result.output, flags=re.MULTILINE)
    with duckdb.connect(str(built_warehouse), read_only=True) as connection:
        verdicts = connection.execute(
            """
            select claim, list(verdict order by model_count, panel_id)
            from marts.fct_claims inner join marts.dim_panels using (panel_id)
            where claim_id not in (
                select counterpart_claim_id from marts.fct_claims
                where counterpart_claim_id is not null
            )
            group by claim"""
        ).fetchall()
        votes = connection.execute(
            "select panel_id, count(*), count(*) filter (where vote = 'for')"
            " from marts.fct_claim_evidence group by panel_id"
        ).fetchall()
    shown = {row[0]: row[2:] for row in rows(summary)}
    assert len(verdicts) >= 10
    for claim, expected in verdicts:
        assert shown[claim] == expected
    by_panel = {panel.split("\n")[0].replace("\\", ""): rows(panel)[2:] for panel in panels}
    assert {
        (panel_id, len(found), sum(row[-1] == "for" for row in found))
        for panel_id, found in by_panel.items()
    } == set(votes)


def test_claims_over_pairs_name_all_that_their_verdict_hangs_on(typed, built_warehouse):
    with duckdb.connect(str(built_warehouse), read_only=True) as connection:
        over_pairs = connection.execute(
            """
            select pairs.claim, pairs.verdict, count(*) filter (where influences.is_decisive)
            from marts.fct_claims as pairs
            inner join marts.fct_claim_influences as influences using (claim_id, panel_id)
            where claim_id in (select counterpart_claim_id from marts.fct_claims)
            group by pairs.claim, pairs.verdict"""
        ).fetchall()
    summary = typed("report", "--markdown").output.partition("## On the panel")[0]
    shown = {row[0]: row for row in rows(summary)}
    assert sum(count for *_, count in over_pairs) > 0
    for claim, verdict, count in over_pairs:
        assert shown[claim][2] == verdict
        units = shown[claim][3].split(", ")
        assert (units == ["–"]) if count == 0 else (len(units) == count)


def test_the_findings_are_written_between_the_marks_of_a_file(typed, tmp_path):
    from app.findings import main as write

    path = tmp_path / "page.md"
    path.write_text(f"before\n\n{BEGINNING}\nwhat was said\n{END}\n\nafter\n", encoding="utf-8")
    write([str(path)])
    once = path.read_text(encoding="utf-8")
    assert once.startswith(f"before\n\n{BEGINNING}\n\n| claim |")
    assert once.endswith(f"|\n\n{END}\n\nafter\n")
    assert "what was said" not in once
    write([str(path)])
    assert path.read_text(encoding="utf-8") == once
