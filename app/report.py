"""Report: what the warehouse says, on one screen of a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from app import marts
from app.snapshot import Snapshot, SourceState, open_snapshot
from app.wording import (
    BUDGET_LANGUAGE_NAMES,
    interval,
    number,
    probability,
    set_aside,
    with_interval,
)
from warehouse.outside_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

PANEL = "paper_35"
"""The panel of the study, which the report is about."""
ANALYSIS = "abilities_that_are_japanese"
PAIR_COUNT = 5
COMPONENT_COUNT = 3
TOP_BENCHMARK_COUNT = 4

DEMO_BENCHMARKS = ("hellaswag", "jcommonsenseqa", "jemhopqa", "wmt20_en_ja", "xlsum_ja")
"""Demonstration scores that are shown; there are more in fct_run_scores."""
RUN_COUNT = 2

QUESTIONS = (("ja", "anchored_2"), ("en", "anchored_1"), ("total", "anchored_1"))
"""Kinds of compute and the ability that the study sees them go with."""

NARROWEST = 96
"""Columns the tables need; where the terminal has fewer, or is a pipe, they are used anyway."""


def main() -> None:
    """Print the report of the last complete build to standard output.

    In colour on a terminal, plain elsewhere. Raises `NoSnapshotError` if there is no complete
    build.
    """
    console = Console(highlight=False)
    if console.width < NARROWEST:
        console.width = NARROWEST
    snapshot = open_snapshot()
    _print_holdings(console, snapshot)
    console.print(f"\n[bold]On the study's models[/bold] (panel {PANEL}), with 95% intervals\n")
    console.print(_pairs(snapshot))
    console.print(_components(snapshot))
    console.print(_slopes(snapshot))
    _print_demonstration(console, snapshot)
    _print_next_steps(console)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of texts, of which titles alone are known not to hold markup."""
    table = Table(title=title, title_justify="left", title_style="", box=None, pad_edge=False)
    for column in columns:
        table.add_column(Text(visible(column)), no_wrap=True)
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    return table


def _print_holdings(console: Console, snapshot: Snapshot) -> None:
    """What there is, in which file, as of when."""
    counts = marts.counts(snapshot).iloc[0]
    source = escape(visible(str(snapshot.source)))
    console.print(
        f"[bold]{source}[/bold], built {snapshot.built_at:%Y-%m-%d %H:%M} UTC", soft_wrap=True
    )
    if snapshot.source_state is not SourceState.CURRENT:
        detail = escape(visible(snapshot.source_detail))
        console.print(f"[yellow]This is the last complete build.[/yellow] {detail}", soft_wrap=True)
    console.print(
        f"{counts['score_count']:,} scores of {counts['model_count']} models "
        f"({counts['base_model_count']} base) on {counts['benchmark_count']} benchmarks, "
        f"from {counts['source_count']} sources; "
        f"{counts['measured_score_count']:,} measured here."
    )
    if sentence := set_aside(len(marts.set_aside_results(snapshot))):
        console.print(f"[yellow]{sentence}[/yellow]")


def _pairs(snapshot: Snapshot) -> Table:
    """The Japanese and English benchmarks that go together most."""
    pairs = marts.cross_lingual_pairs(snapshot, PANEL).head(PAIR_COUNT)
    return _table(
        "Which Japanese and English benchmarks go together? Pearson r",
        ("Japanese", "English", "r", "by models", "by lineages", "q"),
        (
            (
                row["japanese_benchmark"],
                row["english_benchmark"],
                number(row["pearson"]),
                interval(row["pearson_ci_low"], row["pearson_ci_high"]),
                interval(row["pearson_lineage_ci_low"], row["pearson_lineage_ci_high"]),
                probability(row["q_value"]),
            )
            for _, row in pairs.iterrows()
        ),
    )


def _components(snapshot: Snapshot) -> Table:
    """The components that explain most, and what they are made of."""
    variances = marts.component_variances(snapshot, PANEL).head(COMPONENT_COUNT)
    return _table(
        "\nIn how few directions do models differ? Principal components",
        ("", "share of variance", "largest loadings"),
        (
            (
                f"component {row['component_index']:.0f}",
                with_interval(
                    row["explained_variance_ratio"], row["ratio_ci_low"], row["ratio_ci_high"]
                ),
                _largest(marts.component_loadings(snapshot, PANEL, int(row["component_index"]))),
            )
            for _, row in variances.iterrows()
        ),
    )


def _largest(loadings: pd.DataFrame) -> str:
    """The benchmarks with the largest loadings in size, with the loadings."""
    by_size = loadings["loading"].abs().sort_values(ascending=False).index
    largest = loadings.loc[by_size[:TOP_BENCHMARK_COUNT]]
    return ", ".join(
        f"{row['benchmark_name']} {number(row['loading'])}" for _, row in largest.iterrows()
    )


def _slopes(snapshot: Snapshot) -> Table:
    """How ability differs with the compute on a language."""
    fits = marts.scaling_fits(snapshot, PANEL).set_index(["budget_language", "target"])
    return _table(
        "\nHow do abilities differ per tenfold compute? Slopes, in standard deviations",
        ("compute on", "ability", "slope", "by lineages", "models", "lineages", "worth"),
        (
            (
                BUDGET_LANGUAGE_NAMES[language],
                target.replace("_", " "),
                number(fit["slope"]),
                interval(fit["lineage_ci_low"], fit["lineage_ci_high"]),
                f"{fit['model_count']:.0f}",
                f"{fit['lineage_count']:.0f}",
                number(fit["effective_lineage_count"], 1),
            )
            for language, target in QUESTIONS
            for _, fit in fits.loc[fits.index.isin([(language, target)])].iterrows()
        ),
    )


def _print_demonstration(console: Console, snapshot: Snapshot) -> None:
    """Scores measured here of the demonstration items, beside published ones of the whole sets."""
    scores = marts.run_scores(snapshot, PANEL)
    scores = scores[scores["item_set"] == "demo"]
    runs = list(dict.fromkeys(scores["run_id"]))[:RUN_COUNT]
    if not runs:
        return
    models = scores.drop_duplicates("run_id").set_index("run_id")["model_id"]
    by_run = scores.set_index(["benchmark_id", "run_id"])
    by_benchmark = [
        [by_run.loc[(benchmark_id, run)] for run in runs if (benchmark_id, run) in by_run.index]
        for benchmark_id in DEMO_BENCHMARKS
    ]
    console.print(
        _table(
            "\nWhat do scores measured here look like? Demonstration items, no score of any "
            "benchmark",
            (
                "",
                "items",
                *(models[run].rpartition("/")[2] for run in runs),
                "published, real items, median",
            ),
            (
                (
                    rows[0]["benchmark_name"],
                    str(rows[0]["item_count"]),
                    *(with_interval(row["score"], row["ci_low"], row["ci_high"]) for row in rows),
                    number(rows[0]["panel_median"]),
                )
                for rows in by_benchmark
                if rows
            ),
        )
    )


def _print_next_steps(console: Console) -> None:
    """What to type next."""
    console.print(
        "\nModels of one lineage share weights or data, which intervals by lineages allow for.\n"
        "Lineages worth fewer than two equal ones support no claim. – means too few of them.\n"
    )
    commands = _command_folder()
    for purpose, command in (
        ("The study's claims, each with a verdict", f"{commands}evalwh report --markdown"),
        ("Pages with every figure and every source", "make app"),
        (
            "A question answered in SQL; there are more in analyses/",
            f"{commands}dbt show -s {ANALYSIS} --profiles-dir warehouse",
        ),
        (
            "Any SQL over the warehouse",
            f'{commands}evalwh sql "describe marts.fct_benchmark_scores"',
        ),
    ):
        console.print(f"{purpose}:\n    [bold]{escape(command)}[/bold]", soft_wrap=True)


def _command_folder() -> str:
    """What to type before the name of a command: nothing if the shell finds it by itself."""
    if shutil.which("evalwh"):
        return ""
    folder = Path(sys.executable).parent
    return f"{os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else folder}/"
