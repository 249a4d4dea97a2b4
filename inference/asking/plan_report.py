"""Plan report: what a run would ask, before it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from inference.asking.client import Client
from inference.asking.endpoints import describe
from inference.asking.preflight import check_templates
from inference.asking.running import prepare, target_of
from inference.errors import BenchmarkFileError, RunError
from inference.planning.declarations import read_benchmark
from inference.planning.model_files import read_model_type
from inference.planning.plan import Target
from inference.planning.requests import Model
from inference.planning.tokenizers import read_tokenizer
from warehouse.outside_text import visible, visible_lines

if TYPE_CHECKING:
    from rich.console import Console

    from inference.asking.running import Prepared
    from inference.asking.sessions import RunConfig


async def plan_report(config: RunConfig, console: Console) -> None:
    """Print requests and tokens per benchmark, and how much of it is answered.

    Tokens are counted with the model's own tokenizer. A benchmark whose files are not here has
    a line that says so.

    Raises:
        DeclarationError: a declaration is not valid, or a template of it names an unknown field.
        InferenceError: the server or the tokenizer cannot be had, or items are not right.
        RawStoreBusyError: the raw store is being written for too long.
    """
    if config.endpoints:
        async with Client(config.endpoints, config.client) as client:
            servers = [await describe(client, endpoint) for endpoint in client.endpoints]
        target = target_of(config, servers)
    else:
        target = target_without_server(config)
    table = Table(box=None, pad_edge=False)
    table.add_column("benchmark", no_wrap=True)
    names = ("items", "requests", "answered", "prompt tokens", "new tokens, at most", "shortened")
    for name in names:
        table.add_column(name, justify="right")
    totals = [0] * len(names)
    missing: list[str] = []
    for benchmark_id in config.benchmark_ids:
        benchmark = read_benchmark(benchmark_id, config.protocol)
        check_templates(benchmark)
        try:
            numbers = _numbers(prepare(benchmark, config, target))
        except BenchmarkFileError as error:
            missing.append(str(error))
            continue
        totals = [total + number for total, number in zip(totals, numbers, strict=True)]
        table.add_row(Text(visible(benchmark_id)), *(f"{number:,}" for number in numbers))
    table.add_row("all", *(f"{number:,}" for number in totals), style="bold")
    console.print(table, highlight=False)
    for message in missing:
        console.print(Text(f"left out: {visible_lines(message)}", style="yellow"))


def target_without_server(config: RunConfig) -> Target:
    """What a server of the model would say, as far as the configuration tells.

    Raises:
        RunError: tokenizer, context length or revision are not told.
        TokenizerError: the tokenizer cannot be had.
    """
    if not (config.tokenizer and config.context_length and config.revision):
        raise RunError(
            "without --endpoint, --tokenizer, --context-length and --revision have to say what a"
            " server would"
        )
    tokenizer = read_tokenizer(config.tokenizer, config.revision)
    model = Model(config.model_id, config.revision, tokenizer.tokenizer_id)
    model_type = read_model_type(config.tokenizer, config.revision)
    return Target(model, tokenizer, config.context_length, config.context_length - 7, model_type)


def _numbers(prepared: Prepared) -> list[int]:
    requests = {one.request.request_id: one.request for one in prepared.planned}.values()
    return [
        len({one.item.item_id for one in prepared.planned}),
        len(requests),
        len(prepared.known),
        # The continuations are tokens too; a context that several of them share is sent anew.
        sum(
            len(sequence.context) + len(sequence.continuation)
            for request in requests
            for sequence in (
                request.sequences[:1] if request.is_single_token else request.sequences
            )
        ),
        sum(request.sampling.max_new_tokens for request in requests if request.sampling),
        sum(request.dropped_token_count > 0 for request in requests),
    ]
