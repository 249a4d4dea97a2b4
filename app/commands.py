"""Commands: those of `evalwh` that ask models, keep the answers, and look after the machine.

They import what they use when they run, so that none waits for the libraries of another.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from warehouse.outside_text import visible, visible_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from inference.asking.running import RunReport
    from inference.asking.sessions import ItemSet, RunConfig

CACHE = Path("data/benchmarks")


def echo(text: str, *, err: bool = False) -> None:
    """Print a text that may hold what models, servers and files said, as text."""
    click.echo(visible_lines(text), err=err)


class Commands(click.Group):
    """Commands whose errors show text from outside as text."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is asked for."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise click.UsageError(visible_lines(error.format_message()), error.ctx) from error
        except click.ClickException as error:
            raise click.ClickException(visible_lines(error.message)) from error


@contextmanager
def errors_as_messages() -> Iterator[None]:
    """Ends the command with exit code 1 and a message, not a traceback."""
    from inference.errors import InferenceError
    from warehouse.errors import WarehouseError
    from warehouse.whole_files import REMEDIES, disk_error

    try:
        yield
    except (InferenceError, WarehouseError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        if error.errno not in REMEDIES or error.filename is None:
            raise
        kept = "what was written before is kept"
        raise click.ClickException(str(disk_error(Path(error.filename), error, kept))) from error


cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=CACHE,
    envvar="EVALWH_BENCHMARKS",
    help="Folder of the benchmarks' files.",
)
python_option = click.option(
    "--python", help="The Python that has sglang.", envvar="EVALWH_SGLANG_PYTHON"
)
protocol_option = click.option(
    "--protocol", default="reference", help="Protocol of the benchmarks."
)
benchmarks_option = click.option(
    "--benchmarks", default="all", help="Names with commas between them, or `all`."
)


def run_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that `plan` and `run` have in common."""
    options = [
        click.option("--model", required=True, help="Hugging Face repository id of the model."),
        click.option(
            "--endpoint",
            "endpoints",
            multiple=True,
            help="Address of a running SGLang server or router; may be given several times. A key"
            " for it is taken from EVALWH_API_KEY.",
        ),
        benchmarks_option,
        protocol_option,
        click.option(
            "--items",
            "item_set",
            type=click.Choice(["real", "demo"]),
            default="real",
            help="The benchmarks' own items, or the demonstration items of this project.",
        ),
        click.option("--limit", type=click.IntRange(min=1), help="Items per benchmark."),
        click.option("--revision", help="The model's commit, where the server does not say it."),
        click.option("--tokenizer", help="Folder or repository of the tokenizer."),
        click.option(
            "--context-length",
            type=click.IntRange(min=1),
            help="Tokens of prompt and completion, where the server's own is not meant.",
        ),
        cache_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("benchmarks", nargs=-1)
@click.option("--mirror", help="Folder or address that has the files under their cache paths.")
@click.option("--list", "lists", is_flag=True, help="Print where the files are, and fetch none.")
@cache_option
def fetch(benchmarks: tuple[str, ...], mirror: str | None, lists: bool, cache: Path) -> None:
    """Bring the files of BENCHMARKS (all, unless named) here, and verify them."""
    from inference.errors import BenchmarkFileError, DeclarationError
    from inference.planning.addresses import addresses, as_markdown
    from inference.planning.declarations import benchmark_ids, read_benchmark
    from inference.planning.fetch import fetch as fetch_files

    missing: list[str] = []
    with errors_as_messages():
        if lists:
            echo("\n".join(as_markdown(addresses(benchmarks))))
            return
        for name in benchmarks or benchmark_ids():
            files = []
            try:
                for file in fetch_files(read_benchmark(name), cache, mirror):
                    files.append(file)
            except (BenchmarkFileError, DeclarationError) as error:
                missing.append(f"{name}: {error}")
            new_count = sum(file.is_new for file in files)
            echo(f"{name}: {len(files)} files verified, {new_count} of them new")
            for departure in dict.fromkeys(file.departure for file in files if file.departure):
                echo(f"  stand-in: {departure}")
            for file in files:
                if not file.is_pinned:
                    echo(f"  not pinned: {file.path.name} has sha256 {file.sha256}")
    if missing:
        raise click.ClickException("\n".join(missing))


@click.command()
@run_options
def plan(**options: Any) -> None:
    """Print how many requests and tokens a run needs, and what is there already.

    Without --endpoint, --tokenizer, --context-length and --revision say what a server would.
    """
    import asyncio

    from rich.console import Console

    with errors_as_messages():
        from inference.asking.plan_report import plan_report

        config = _config(options, needs_server=False)
        asyncio.run(plan_report(config, Console()))


@click.command()
@click.argument("model")
@click.option("--model-id", help="Name under which to serve it.  [default: MODEL]")
@click.option("--port", type=int, default=30000)
@click.option("--cpu", is_flag=True, help="Serve without a GPU.")
@click.option("--log", type=click.Path(path_type=Path), default=Path("data/sglang.log"))
@python_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve(
    model: str,
    model_id: str | None,
    port: int,
    cpu: bool,
    log: Path,
    python: str | None,
    arguments: tuple[str, ...],
) -> None:
    """Start an SGLang server of MODEL (folder or repository), until Ctrl-C.

    ARGUMENTS after `--` go to sglang.launch_server as they are.
    """
    import signal

    stop_on_sigterm()
    with errors_as_messages():
        echo(f"Starting {model}; its log is {log} ...")
        with _server(model, model_id, cpu, python, port, log=log, arguments=arguments) as url:
            echo(f"{url} is ready; stop it with Ctrl-C.")
            try:
                signal.pause()
            except KeyboardInterrupt:
                echo("Stopping ...")


@click.command()
@run_options
@click.option("--serve", "serves", is_flag=True, help="Start a server for this run.")
@click.option("--serve-model", help="Folder or repository to serve.  [default: MODEL]")
@click.option("--cpu", is_flag=True, help="With --serve: serve without a GPU.")
@click.option(
    "--python", help="With --serve: the Python that has sglang.", envvar="EVALWH_SGLANG_PYTHON"
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=16,
    help="Batches under way at the same time, per server.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=32, help="Prompts per call.")
@click.option(
    "--attempts",
    type=click.IntRange(min=1),
    default=5,
    help="Attempts at a batch that may fail for a reason that might pass.",
)
@click.option("--timeout", type=float, default=1800.0, help="Seconds for one call.")
@click.option(
    "--patience",
    type=float,
    default=600.0,
    help="Seconds that a server may be away, or refuse everything.",
)
@click.option("--no-load", is_flag=True, help="Leave the answers in shards.")
def run(
    serves: bool,
    serve_model: str | None,
    cpu: bool,
    python: str | None,
    no_load: bool,
    **options: Any,
) -> None:
    """Ask a model every item that it has not answered yet, and load what it said."""
    from inference.asking.preflight import preflight
    from warehouse.loading import load as load_shards

    stop_on_sigterm()
    with errors_as_messages():
        config = _config(options, needs_server=not serves)
        preflight(config)
        server = _server(serve_model or config.model_id, config.model_id, cpu, python, 0)
        with server if serves else nullcontext() as url:
            report = _ask(config if url is None else replace(config, endpoints=(url,)))
        _say_what_was_asked(report)
        refused = report.refused
        if not no_load:
            loaded = load_shards(config.shards, config.store)
            refused = list(dict.fromkeys(refused + loaded.refused))
            echo(f"{loaded.row_count} rows of {loaded.shard_count} shards are in {config.store}")
    if report.failed_count:
        refused.append(
            f"{report.failed_count} requests failed; the same command asks them again. First"
            " errors:\n  " + "\n  ".join(report.first_errors)
        )
    if refused:
        raise click.ClickException("\n".join(map(visible, refused)))


def stop_on_sigterm() -> None:
    """Let SIGTERM end the process as an exit: servers are stopped and answers are kept."""
    import signal
    import sys

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def _server(
    model: str,
    model_id: str | None,
    is_cpu: bool,
    python: str | None,
    port: int,
    **settings: Any,
) -> AbstractContextManager[str]:
    """A server of our own, which starts when it is entered."""
    import sys

    from inference.asking.serving import ServeConfig, serving

    return serving(
        ServeConfig(model, model_id, port, is_cpu, python=python or sys.executable, **settings)
    )


def _ask(config: RunConfig) -> RunReport:
    from rich.console import Console

    from inference.asking.progress import RunProgress
    from inference.asking.running import run as run_model

    with RunProgress(Console()) as progress:
        return run_model(config, progress)


def _say_what_was_asked(report: RunReport) -> None:
    echo(
        f"{report.run_id}: {report.planned_count} requests, {report.known_count} answered"
        f" before, {report.answered_count} now, {report.failed_count} failed"
    )
    for departure in report.departures:
        echo(f"  departure: {departure}")


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--keep", is_flag=True, help="Leave the shards where they are.")
@click.option(
    "--patience",
    type=float,
    default=60.0,
    help="Seconds to wait for another process to let go of the raw store.",
)
def load(folder: Path | None, keep: bool, patience: float) -> None:
    """Bring shards (those of FOLDER, or data/shards) into the raw store, each once."""
    from warehouse.loading import load as load_shards
    from warehouse.raw_store import raw_store_path
    from warehouse.shard_files import shards_path

    with errors_as_messages():
        store = raw_store_path()
        report = load_shards(
            folder or shards_path(), store, keep_files=keep, patience_seconds=patience
        )
    echo(f"{report.row_count} rows of {report.shard_count} shards are in {store}")
    if refused := report.refused:
        raise click.ClickException("\n".join(map(visible, refused)))


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", help="Repository id of the model, where the results do not say it.")
@click.option("--revision", help="The model's commit, where the results do not say it.")
@click.option(
    "--scorer",
    "scorers",
    multiple=True,
    metavar="TASK=SCORER",
    help="Score a task's completions by a scorer of warehouse/seeds/scorers.csv, not as logged.",
)
def import_samples(
    paths: tuple[Path, ...], model: str | None, revision: str | None, scorers: tuple[str, ...]
) -> None:
    """Bring samples that lm-evaluation-harness logged into the raw store.

    PATHS are files named samples_<task>_<time>.jsonl, or folders with such files. What is there
    already is not brought in twice.
    """
    from inference.errors import SamplesFileError
    from inference.exchange.importing import check_scorers, sample_files
    from inference.exchange.importing import import_samples as import_file
    from warehouse.loading import load as load_shards
    from warehouse.raw_store import raw_store_path
    from warehouse.shard_files import shards_path

    by_task = dict(_pair(text) for text in scorers)
    refused: list[str] = []
    with errors_as_messages():
        files = sample_files(paths, lambda error: refused.append(visible(str(error))))
        check_scorers(by_task, files)
        for path in files:
            try:
                done = import_file(
                    path, shards_path(), model_id=model, revision=revision, scorers=by_task
                )
            except SamplesFileError as error:
                refused.append(visible(str(error)))
                continue
            for benchmark_id, count in done.item_counts.items():
                echo(f"{benchmark_id}: {count} items of {done.run_id}, scored {done.scorer}")
        refused += load_shards(shards_path(), raw_store_path()).refused
    if refused:
        raise click.ClickException("\n".join(map(visible, refused)))


def _pair(text: str) -> tuple[str, str]:
    task, separator, scorer = text.partition("=")
    if not separator:
        raise click.UsageError(f"--scorer takes TASK=SCORER, not {text!r}")
    return task, scorer


@click.command()
def measure() -> None:
    """Find out what SQL cannot say of completions, once for each of them.

    Counts BLEU's n-grams, and runs generated programs in a sandbox (which takes bubblewrap).
    """
    from inference.measuring.measure import Measure
    from inference.measuring.measure import measure as measure_completions
    from warehouse.raw_store import raw_store_path
    from warehouse.shard_files import shards_path

    def say(one: Measure, done: int, total: int) -> None:
        echo(f"{one.table}: {done} of {total} completions")

    # By message: a shard of a newer version is met before and after measuring.
    refused: dict[str, None] = {}

    def refuse(message: str) -> None:
        if message not in refused:
            refused[message] = None
            echo(message, err=True)

    not_run: list[str] = []
    with errors_as_messages():
        done = measure_completions(
            shards_path(), raw_store_path(), say, refuse, on_unscored=not_run.append
        )
    if done.get("program_outcomes"):
        from inference.measuring.sandbox import missing_layers

        for layer in missing_layers():
            echo(f"sandbox without: {layer}")
    for message in not_run:
        echo(message, err=True)
    if not any(done.values()):
        echo("Every completion that needs measuring has been measured.")
    if refused:
        raise click.ClickException(f"{len(refused)} shards could not be loaded")
    if not_run:
        raise click.ClickException("some programs have no outcome yet: run `evalwh measure` again")


@click.command()
def status() -> None:
    """Print per run and benchmark what is asked, answered, failed and loaded.

    Exits with 1 where shards had to be left out.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from inference.asking.status import status as read_status
    from warehouse.raw_store import raw_store_path
    from warehouse.shard_files import shards_path

    left_out: list[str] = []
    with errors_as_messages():
        rows = read_status(shards_path(), raw_store_path(), left_out.append)
    for message in left_out:
        echo(f"not counted: {message}", err=True)
    if left_out:
        echo(f"{len(left_out)} shards were left out; `evalwh load` sets damaged ones aside.")
    if not rows:
        if left_out:
            raise click.exceptions.Exit(1)
        echo("Nothing has been asked yet; `evalwh run` asks.")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("run", "benchmark"):
        table.add_column(name, overflow="fold")
    for name in ("asked", "answered", "failed", "loaded"):
        table.add_column(name, justify="right")
    for row in rows:
        # Text, because a plain string may hold rich's own markup.
        table.add_row(*(Text(visible(str(value))) for value in row))
    Console(highlight=False).print(table)
    if left_out:
        raise click.exceptions.Exit(1)


@click.command()
@click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Lines to read, or JSON for programs.",
)
@python_option
@cache_option
def doctor(output: str, python: str | None, cache: Path) -> None:
    """Print what works on this machine, and what to install; exits with 1 if `make run` would not.

    Nothing is changed and nothing is asked of the network.
    """
    import json

    from app.doctor import as_document, as_lines, examine, is_ready

    findings = list(examine(cache, python))
    if output == "json":
        echo(json.dumps(as_document(findings), indent=2))
    else:
        echo("\n".join(as_lines(findings)))
    if not is_ready(findings):
        raise click.exceptions.Exit(1)


def _config(options: dict[str, Any], *, needs_server: bool) -> RunConfig:
    from inference.asking.client import ClientSettings
    from inference.asking.sessions import RunConfig, selected_benchmarks
    from warehouse.raw_store import raw_store_path
    from warehouse.shard_files import shards_path

    if not options["endpoints"] and needs_server:
        raise click.UsageError("name a server with --endpoint, or start one with --serve")
    item_set: ItemSet = options["item_set"]
    names = [name.strip() for name in options["benchmarks"].split(",") if name.strip()]
    defaults = ClientSettings()
    return RunConfig(
        model_id=options["model"],
        benchmark_ids=selected_benchmarks(names, options["protocol"]),
        endpoints=options["endpoints"],
        revision=options["revision"],
        tokenizer=options["tokenizer"],
        context_length=options["context_length"],
        protocol=options["protocol"],
        item_set=item_set,
        limit=options["limit"],
        cache=options["cache"],
        shards=shards_path(),
        store=raw_store_path(),
        client=ClientSettings(
            options.get("concurrency", defaults.concurrency),
            options.get("batch_size", defaults.batch_size),
            options.get("attempts", defaults.attempt_limit),
            options.get("timeout", defaults.timeout_seconds),
            options.get("patience", defaults.patience_seconds),
        ),
    )
