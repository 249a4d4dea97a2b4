"""Command line: `evalwh`, the outermost shell of the project.

It alone may import from every room. Commands import what they use when they run, so that none
waits for the libraries of another.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app import commands, keeping

if TYPE_CHECKING:
    from warehouse.door import Form

SHOWN_ROW_COUNT = 100
"""Rows of a table, unless told otherwise."""


@click.group(
    cls=commands.Commands,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(package_name="evalwh")
def main() -> None:
    """Evaluations of language models, from prompts to scaling laws."""


for command in (
    commands.fetch,
    commands.plan,
    commands.serve,
    commands.run,
    commands.load,
    commands.import_samples,
    commands.measure,
    commands.status,
    keeping.check,
    keeping.repair,
    keeping.forget,
    commands.doctor,
):
    main.add_command(command)


@main.command()
@click.argument("query")
@click.option(
    "--format",
    "output",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    help="A table to read, or all rows as csv or json.",
)
@click.option(
    "--limit",
    "row_limit",
    type=click.IntRange(min=0),
    help="Rows of the answer.  [default: 100 of a table, all otherwise]",
)
@click.option(
    "--parquet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rows into this file instead; only a Parquet file is replaced.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    help="Seconds after which the query is ended; 0 is never.",
)
@click.option("--memory", default="4GB", help="Memory that the query may take.")
@click.option("--spill", default="10GB", help="Space in TMPDIR for what does not fit into memory.")
@click.option("--threads", type=click.IntRange(min=1), help="[default: one for each core]")
@click.option(
    "--allow-files",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    help="A file or folder that the query may read; may be given several times.",
)
def sql(
    query: str,
    output: Form,
    row_limit: int | None,
    parquet: Path | None,
    timeout: float,
    memory: str,
    spill: str,
    threads: int | None,
    files: tuple[Path, ...],
) -> None:
    r"""Run QUERY, one statement that reads, over the warehouse.

    It cannot write, and reads no other files unless they are allowed. It ends at its limits.

    \b
    evalwh sql "select panel_id, model_count from marts.dim_panels"
    """
    from warehouse.door import Limits, asked, write_parquet

    commands.stop_on_sigterm()
    if output == "table" and parquet is None and row_limit is None:
        row_limit = SHOWN_ROW_COUNT
    limits = Limits(timeout, memory, spill, threads, row_limit)
    with commands.errors_as_messages():
        if parquet is not None:
            was_there = parquet.exists()
            outcome = write_parquet(query, parquet, limits, files=files)
            replaced = ", in place of those that were there" if was_there else ""
            commands.echo(f"{outcome['row_count']:,} rows are in {parquet}{replaced}")
        else:
            with asked(query, output, limits, files=files) as answer:
                for piece in answer.pieces():
                    click.echo(piece, nl=False)
                outcome = answer.outcome()
    if outcome["note"]:
        commands.echo(f"without the raw store: {outcome['note']}", err=True)
    if outcome["is_cut"] and (output != "table" or parquet is not None):
        commands.echo(f"there are more rows than the {outcome['row_count']:,} of --limit", err=True)


@main.command()
@click.option(
    "--markdown",
    "is_markdown",
    is_flag=True,
    help="The study's claims with their verdicts and all evidence, as Markdown.",
)
def report(is_markdown: bool) -> None:
    """Print what the warehouse says, on one screen."""
    import app.findings
    import app.report
    from app.snapshot import open_snapshot

    with commands.errors_as_messages():
        if is_markdown:
            commands.echo(app.findings.findings_report(open_snapshot()))
        else:
            app.report.main()


@main.command()
@click.argument("run_id")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def export(run_id: str, folder: Path) -> None:
    """Write the samples of RUN_ID into FOLDER, as lm-evaluation-harness logs them."""
    from inference.exchange.exporting import export_samples
    from warehouse.connection import attach_raw_store, connect_read_only, warehouse_path
    from warehouse.raw_store import raw_store_path

    with commands.errors_as_messages(), connect_read_only(warehouse_path()) as connection:
        reason = attach_raw_store(connection, raw_store_path())
        if reason:
            raise click.ClickException(f"prompts and completions cannot be read: {reason}")
        counts = export_samples(connection, run_id, folder)
    commands.echo(f"{sum(counts.values()):,} items of {len(counts)} benchmarks are in {folder}")
