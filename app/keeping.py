"""Keeping: the commands of `evalwh` that look after what the raw store and its shards hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app.commands import cache_option, echo, errors_as_messages
from warehouse.outside_text import visible

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse.examining import Finding


@click.command()
def check() -> None:
    """Look at every shard and every row of the raw store; exit with 1 if anything is wrong.

    Bytes, columns and rows of shards, and of the raw store keys, references, hashes and values.
    Nothing is changed.
    """
    from warehouse.raw_store import raw_store_path
    from warehouse.shard_files import shards_path

    with errors_as_messages():
        findings = _examine(shards_path(), raw_store_path())
    if findings:
        raise click.ClickException(
            f"{len(findings)} things are wrong; `evalwh repair` brings back what shards and"
            " benchmarks have, `evalwh run` asks the rest again"
        )
    echo("Everything is as it should be.")


@click.command()
@cache_option
def repair(cache: Path) -> None:
    """Bring back what the raw store has lost, from its shards and the benchmarks' files.

    Nothing is asked of a model. Exits with 1 if something is still wrong.
    """
    from inference.asking.restoring import restore_items
    from inference.provenance import new_session_id
    from warehouse.raw_store import raw_store_path
    from warehouse.repairing import repair as repair_store
    from warehouse.shard_files import shards_path

    with errors_as_messages():
        shards, store = shards_path(), raw_store_path()
        if shards.is_dir():
            report = repair_store(shards, store, f"repair-{new_session_id()}")
            items, problems = restore_items(shards, store, cache, f"repair-{new_session_id()}")
            if items:
                # What waited for an item may now be in, and name a session that is lost.
                again = repair_store(shards, store, f"repair-{new_session_id()}")
                report.loaded_count += again.loaded_count
                report.sessions += again.sessions
                report.refused = again.refused
            if report.loaded_count:
                echo(f"{report.loaded_count} rows of shards that it did not remember")
            for table, count in report.fetched.items():
                echo(f"raw.{table}: {count} rows fetched back from shards")
            for benchmark_id, count in items.items():
                echo(f"{benchmark_id}: {count} items and files read again")
            for session in report.sessions:
                echo(f"session {session}: put together from its run and its answers")
            if report.emptied_count:
                echo(f"{report.emptied_count} answers without content taken out")
            for message in problems + report.refused:
                echo(message, err=True)
        findings = _examine(shards, store)
    if findings:
        raise click.ClickException(
            f"{len(findings)} things are still wrong; `evalwh run` with the same model says again"
            " what it asks, and asks what is not answered; `evalwh forget` takes out what is wrong;"
            f" with {store} moved away, `evalwh load` fills a new one from the shards"
        )
    echo("Everything is as it should be.")


@click.command()
@click.argument("run_id", metavar="RUN")
@click.option("--benchmark", "benchmark_id", help="Only this benchmark of the run.")
@click.option("--request", "request_id", help="Only this request of the run.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def forget(run_id: str, benchmark_id: str | None, request_id: str | None, yes: bool) -> None:
    """Take what RUN asked and was told out of the raw store, so that it is asked again.

    What other runs ask too stays. Shards as they were are kept in the folder `forgotten` beside
    them.
    """
    from inference.asking.sessions import only_session
    from warehouse.forgetting import What, what_would_go
    from warehouse.forgetting import forget as forget_in_store
    from warehouse.loading import DAMAGED
    from warehouse.raw_store import raw_store_path
    from warehouse.shard_files import shards_path

    what = What(run_id, benchmark_id, request_id)
    with errors_as_messages():
        shards, store = shards_path(), raw_store_path()
        going = what_would_go(store, what)
        if not yes:
            click.confirm(
                f"Forget {going.mapping_count} requests of {run_id}, with"
                f" {going.answer_count} answers?",
                abort=True,
            )
        with only_session(shards, run_id):
            gone = forget_in_store(shards, store, what)
    echo(f"{gone.mapping_count} requests of {run_id} and {gone.answer_count} answers are gone")
    if gone.set_aside:
        echo(
            f"{len(gone.set_aside)} shards of {run_id} could not be read and were set aside in"
            f" {shards / DAMAGED}: {', '.join(gone.set_aside)}"
        )
    if gone.shared_count:
        echo(
            f"{gone.shared_count} requests keep their answer, because other runs have it too:"
            f" {', '.join(gone.shared_with)}"
        )


def _examine(shards: Path, store: Path) -> list[Finding]:
    """What is wrong, printed."""
    from inference.exchange.identities import misnamed, misscored
    from warehouse.examining import examine

    found = examine(shards, store)
    echo(f"{found.shard_count} shards and {found.row_count} rows were looked at")
    findings = found.findings + misnamed(store) + misscored(store)
    for one in findings:
        owner = ", ".join(name for name in (one.run_id, one.benchmark_id) if name)
        if one.what.startswith(one.place):
            # A shard's message names its path itself.
            echo(visible(one.what))
            continue
        place = f"{one.place} ({owner})" if owner else one.place
        echo(visible(f"{place}: {one.row_count}: {one.what}"))
    return findings
