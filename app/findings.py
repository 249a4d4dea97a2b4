"""Findings: what the study claims and what the marts say of it, as Markdown.

`evalwh report --markdown` prints all of it. `make findings` writes the table of verdicts into the
README, between two marks, so that the README asserts what the rule says and no more.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from app import marts
from app.snapshot import open_snapshot
from app.wording import UNKNOWN, as_markdown, interval, is_unknown, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from app.snapshot import Snapshot

BEGINNING, END = "<!-- findings: `make findings` -->", "<!-- end of findings -->"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table of verdicts into a Markdown file that has the two marks."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("path", type=Path, help="the file")
    path: Path = parser.parse_args(arguments).path
    path.write_text(with_findings(path.read_text("utf-8"), open_snapshot()), "utf-8")


def with_findings(text: str, snapshot: Snapshot) -> str:
    """`text` with the table of verdicts between its marks.

    Raises ValueError if it does not have both, in their order.
    """
    before, beginning, rest = text.partition(BEGINNING)
    _, end, after = rest.partition(END)
    if not (beginning and end):
        raise ValueError(f"the text needs a line {BEGINNING} and after it a line {END}")
    return "\n".join([before + beginning, "", *verdict_table(snapshot), "", end + after])


def findings_report(snapshot: Snapshot) -> str:
    """All claims with their verdicts, and of each panel what every method says, as Markdown."""
    panels = list(dict.fromkeys(marts.claims(snapshot)["panel_id"]))
    lines = ["# Claims of the study", "", *verdict_table(snapshot), "", *_rule()]
    for panel_id in panels:
        lines += ["", f"## On the panel {as_markdown(panel_id)}", ""]
        lines += _evidence_table(marts.claim_evidence(snapshot, panel_id))
    return "\n".join(lines)


def verdict_table(snapshot: Snapshot) -> list[str]:
    """The claims over panels with the verdict of each; then those over pairs of models."""
    claims = marts.claims(snapshot)
    panels = list(dict.fromkeys(claims["panel_id"]))
    evidence = marts.claim_evidence(snapshot, panels[0])
    first = evidence[evidence["is_primary"]].drop_duplicates(["claim_id", "part_index"])
    estimates = {
        str(claim_id): "; ".join(_estimates(parts)) for claim_id, parts in first.groupby("claim_id")
    }
    verdicts = claims.pivot(index="claim_id", columns="panel_id", values="verdict")
    decisive = marts.decisive_units(snapshot).groupby("claim_id")["left_out"].agg(list).to_dict()
    is_of_pairs = claims["claim_id"].isin(claims["counterpart_claim_id"].dropna())
    over_panels = claims[~is_of_pairs].drop_duplicates("claim_id")
    over_pairs = claims[is_of_pairs].drop_duplicates("claim_id")
    return [
        *_table(
            ("claim", f"estimate on `{panels[0]}`", *(f"`{panel_id}`" for panel_id in panels)),
            (
                (
                    as_markdown(str(row["claim"])),
                    estimates[str(row["claim_id"])],
                    *(str(verdicts.loc[row["claim_id"], panel_id]) for panel_id in panels),
                )
                for _, row in over_panels.iterrows()
            ),
        ),
        "",
        *_table(
            ("of pairs of a model and its parent", "change", "verdict", "which hangs on"),
            (
                (
                    as_markdown(str(row["claim"])),
                    estimates[str(row["claim_id"])],
                    str(row["verdict"]),
                    ", ".join(map(as_markdown, decisive.get(row["claim_id"], []))) or UNKNOWN,
                )
                for _, row in over_pairs.iterrows()
            ),
        ),
    ]


def _rule() -> list[str]:
    """How to read the table."""
    return [
        "Intervals are of 95% and take lineages (and, of pairs, developers), not models, as",
        "independent. A claim is supported",
        "if every required method votes for each of its parts, and not supported if all primary",
        "methods vote against one of them and no required method for it. Anything else cannot be",
        "told.",
    ]


def _estimates(parts: pd.DataFrame) -> Iterable[str]:
    for _, part in parts.iterrows():
        unit = " SD" if str(part["target"]).startswith("anchored_") else ""
        estimate = number(part["estimate"]) + unit
        if is_unknown(part["ci_low"]):
            yield f"{estimate} (no interval)"
        else:
            yield f"{estimate} {interval(part['ci_low'], part['ci_high'])}"


def _evidence_table(evidence: pd.DataFrame) -> list[str]:
    return _table(
        ("claim", "of", "on", "method", "estimate", "95%", "lineages", "worth", "vote"),
        (
            (
                as_markdown(str(row["claim_id"])),
                as_markdown(str(row["target"])),
                as_markdown(str(row["on_what"])),
                as_markdown(str(row["method"])) + ("" if row["is_required"] else " (not required)"),
                number(row["estimate"], 3),
                interval(row["ci_low"], row["ci_high"], 3),
                number(row["lineage_count"], 0),
                number(row["effective_lineage_count"], 1),
                str(row["vote"]),
            )
            for _, row in evidence.iterrows()
        ),
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; cells are Markdown already, in which a bar would end a cell."""
    return [
        f"| {' | '.join(columns)} |",
        "|" + " --- |" * len(columns),
        *(f"| {' | '.join(cells)} |" for cells in rows),
    ]


if __name__ == "__main__":
    main()
