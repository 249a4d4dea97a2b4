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
    from warehouse.query import Format


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
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
    show_default=True,
    help="A table to read, or all rows as csv or json.",
)
@click.option(
    "--limit",
    "row_limit",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Rows that a table shows.",
)
@click.option(
    "--parquet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all rows into this file instead.",
)
def sql(query: str, output: Format, row_limit: int, parquet: Path | None) -> None:
    r"""Run QUERY, one statement that reads, over the warehouse.

    \b
    evalwh sql "select panel_id, model_count from marts.dim_panels"
    """
    from warehouse.connection import attach_raw_store, connect_read_only, warehouse_path
    from warehouse.query import query_lines, write_parquet
    from warehouse.raw_store import raw_store_path

    with commands.errors_as_messages(), connect_read_only(warehouse_path()) as connection:
        reason = attach_raw_store(connection, raw_store_path())
        if reason:
            click.echo(f"without the raw store: {reason}", err=True)
        if parquet is not None:
            count = write_parquet(connection, query, parquet)
            click.echo(f"{count:,} rows are in {parquet}")
            return
        for line in query_lines(connection, query, output, row_limit):
            click.echo(line)


@main.command()
def report() -> None:
    """Print what the warehouse says, on one screen."""
    import app.report

    with commands.errors_as_messages():
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
    click.echo(f"{sum(counts.values()):,} items of {len(counts)} benchmarks are in {folder}")
