"""Running: a model is asked the items of benchmarks, and what it says is on the disk."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from inference.asking.ask import ask_all
from inference.asking.client import Answer, Client, bundles
from inference.asking.endpoints import (
    arguments_json,
    check_model,
    describe,
    gpu_names,
    model_revision,
)
from inference.asking.recording import Recorder
from inference.asking.sessions import only_session, run_id, session_row
from inference.errors import EndpointError, ItemsError, RecordingError, RunError
from inference.planning.declarations import check_fields, read_benchmark
from inference.planning.few_shot import split_items
from inference.planning.files import cached_files, demo_files
from inference.planning.items import item_hash_of_content, read_items
from inference.planning.model_files import read_model_type
from inference.planning.plan import Planned, Target, plan
from inference.planning.requests import Model, prompt_id
from inference.planning.tokenizers import read_tokenizer
from inference.provenance import new_session_id
from warehouse.loading import load
from warehouse.raw_store import open_raw_store
from warehouse.repairing import restore_sessions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from inference.asking.client import Failure, Group
    from inference.asking.endpoints import Server
    from inference.asking.progress import RunProgress
    from inference.asking.sessions import ItemSet, RunConfig
    from inference.planning.declarations import Benchmark
    from inference.planning.files import BenchmarkFile
    from inference.planning.items import Item, Items
    from inference.planning.tokenizers import Tokenizer


@dataclasses.dataclass(slots=True)
class RunReport:
    """What a session did."""

    run_id: str
    session_id: str
    planned_count: int = 0
    known_count: int = 0
    """Planned requests that had been answered before."""
    answered_count: int = 0
    failed_count: int = 0
    departures: list[str] = dataclasses.field(default_factory=list)
    """What is not as the benchmark declares it: stand-ins for its files, seeds that the server
    ignores."""
    first_errors: list[str] = dataclasses.field(default_factory=list)
    """Errors of the first failures."""
    refused: list[str] = dataclasses.field(default_factory=list)
    """Messages about shards that were found damaged or unreadable at the beginning."""
    has_waiting: bool = False
    """Whether shards were found that wait for what the plan may bring."""

    def add_failure(self, failure: Failure) -> None:
        """Count a failure, and keep its error if it is one of the first."""
        self.failed_count += 1
        if len(self.first_errors) < ERRORS_SHOWN:
            self.first_errors.append(f"{failure.request.request_id}: {failure.error}")


class Prepared(NamedTuple):
    """A benchmark's plan, without what is known already."""

    benchmark: Benchmark
    files: list[BenchmarkFile]
    planned: list[Planned]
    known: set[str]
    """Ids of planned requests that are answered."""
    mapped: set[tuple[str, str, int, int, str]]
    """What the run had asked for already under this version of the protocol, as far as the raw
    store has its item, request and prompt; see `_key`."""
    has_files: bool
    """Whether the raw store says of what files the run's items are."""


ERRORS_SHOWN = 5

SEEDS_IGNORED = (
    "The server draws samples without their seeds, so that another server would draw others;"
    " --enable-deterministic-inference makes it use them."
)


def benchmark_files(benchmark: Benchmark, item_set: ItemSet, cache: Path) -> list[BenchmarkFile]:
    """The benchmark's files of the item set.

    Raises:
        BenchmarkFileError: a file is missing or not the declared one.
    """
    return demo_files(benchmark) if item_set == "demo" else cached_files(benchmark, cache)


def checked_items(benchmark: Benchmark, files: list[BenchmarkFile], item_set: ItemSet) -> Items:
    """Items and pool of the benchmark, as many as its declaration says.

    Raises:
        ItemsError: upstream's files give another number of items.
    """
    items = read_items(benchmark, files)
    is_whole = item_set == "real" and not any(
        file.departure for file in files if file.role == "test"
    )
    if is_whole and benchmark.item_count is not None:
        few_shot = benchmark.few_shot
        found = len(split_items(items, few_shot).test)
        if found != benchmark.item_count:
            raise ItemsError(
                f"{benchmark.benchmark_id} has {found} items, declared are {benchmark.item_count}"
            )
    return items


def prepare(
    benchmark: Benchmark, config: RunConfig, target: Target, run: str | None = None
) -> Prepared:
    """The benchmark's requests, and which of them the raw store can answer.

    Raises:
        InferenceError: files, items or prompts are not as they should be.
        RawStoreBusyError: the raw store is being written for too long.
    """
    files = benchmark_files(benchmark, config.item_set, config.cache)
    items = checked_items(benchmark, files, config.item_set)
    check_fields(benchmark, set(items.test[0].fields))
    planned = list(plan(benchmark, items, target, config.limit))
    names = list({one.request.request_id for one in planned})
    with open_raw_store(config.store, read_only=True) as connection:
        known = connection.execute(
            "select request_id from raw.answers where request_id in (select unnest(?))", [names]
        ).fetchall()
        mapped = connection.execute(
            """
            select request_id, item_hash, run_requests.sample_index, variant_index, purpose
            from raw.run_requests
            inner join raw.requests using (request_id)
            semi join raw.items using (item_hash)
            semi join raw.prompts using (prompt_id)
            where run_id = ? and benchmark_id = ? and protocol_version = ?""",
            [run, benchmark.benchmark_id, benchmark.protocol_version],
        ).fetchall()
        ((file_count,),) = connection.execute(
            """
            select count(*) from raw.run_files
            where run_id = ? and benchmark_id = ? and protocol_version in (?, '')""",
            [run, benchmark.benchmark_id, benchmark.protocol_version],
        ).fetchall()
    known_names = {name for (name,) in known}
    return Prepared(benchmark, files, planned, known_names, set(mapped), file_count > 0)


def run(config: RunConfig, progress: RunProgress) -> RunReport:
    """Ask the model everything that is not answered yet.

    Everything that came back is on the disk when this returns; a request that kept failing is
    stored as failed, and a later session asks it again. When it does not return, everything is on
    the disk whose server confirms that it still serves the model; the message says what is not.

    Raises:
        InferenceError: the run cannot start, a server stayed away or serves another model, or the
            disk takes no more.
        RawStoreBusyError: the raw store is being written for too long.
    """
    return asyncio.run(_run(config, progress))


async def _run(config: RunConfig, progress: RunProgress) -> RunReport:
    async with Client(config.endpoints, config.client) as client:
        servers = [await describe(client, endpoint) for endpoint in client.endpoints]
        target = await asyncio.to_thread(target_of, config, servers)
        name = run_id(target.model, config.protocol, config.item_set)
        report = RunReport(name, new_session_id())
        with only_session(config.shards, name):
            # What earlier sessions left tells what need not be asked.
            held = await asyncio.to_thread(load, config.shards, config.store)
            if held.newer:
                # What they hold would be asked again.
                raise RunError("\n".join(held.newer))
            report.refused += held.damaged + held.unreadable
            report.has_waiting = bool(held.waiting)
            await _Session(config, progress, client, servers, target, report).ask()
        return report


def target_of(config: RunConfig, servers: list[Server]) -> Target:
    """The model that all servers serve, with its tokenizer.

    Raises:
        EndpointError: a server serves another model, or they differ.
        TokenizerError: the tokenizer cannot be had.
    """
    for server in servers:
        check_model(server, config.model_id)
    revisions = {model_revision(server, config.revision) for server in servers}
    if len(revisions) > 1:
        raise EndpointError(
            f"the servers serve different revisions of {config.model_id}: {sorted(revisions)}"
        )
    told_revision = config.revision or servers[0].revision
    tokenizer = read_tokenizer(config.tokenizer or servers[0].tokenizer_path, told_revision)
    return Target(
        Model(config.model_id, revisions.pop(), tokenizer.tokenizer_id),
        tokenizer,
        config.context_length or min(server.context_length for server in servers),
        min(server.input_limit for server in servers),
        servers[0].model_type
        or read_model_type(config.tokenizer or servers[0].model_path, told_revision),
    )


class _Session:
    """A session under way: benchmark after benchmark is planned, asked and recorded."""

    def __init__(
        self,
        config: RunConfig,
        progress: RunProgress,
        client: Client,
        servers: list[Server],
        target: Target,
        report: RunReport,
    ) -> None:
        self._config = config
        self._progress = progress
        self._client = client
        self._servers = servers
        self._target = target
        self._report = report
        self._owners: dict[str, str] = {}
        """Benchmark of each request that is asked."""
        self._recorder = Recorder(
            config.shards,
            report.session_id,
            on_acknowledged=self._acknowledge,
            look=client.look_at,
        )

    async def ask(self) -> None:
        """Ask all benchmarks; beginning and end are recorded, too.

        Raises:
            InferenceError: as `run`; the message says what became of what had been answered.
        """
        try:
            await self._record_beginning()
            if self._report.has_waiting:
                await self._bring_what_waits()
            for benchmark_id in self._config.benchmark_ids:
                await self._ask_benchmark(read_benchmark(benchmark_id, self._config.protocol))
            await self._record_end()
        except (EndpointError, RecordingError) as error:
            raise type(error)(f"{error}\n{self._what_became()}") from error

    def _what_became(self) -> str:
        """Of the answers of a session that did not come to its end."""
        recorder, report = self._recorder, self._report
        said = [
            f"{report.answered_count} answers of this session are kept in {self._config.shards}"
        ]
        if recorder.unconfirmed_count:
            said.append(
                f"{recorder.unconfirmed_count} that came since the last look at their server are"
                f" set aside in {recorder.unconfirmed}: nobody can say which model gave them, and"
                " they are never loaded"
            )
        if recorder.pending_count:
            said.append(f"{recorder.pending_count} that had come are not kept")
        return "\n".join(
            ["; ".join(said) + ". The same command asks what is missing", *report.refused]
        )

    async def _bring_what_waits(self) -> None:
        """Say again what shards wait for: their answers need not be asked for."""
        config, target, run = self._config, self._target, self._report.run_id
        for benchmark_id in config.benchmark_ids:
            benchmark = read_benchmark(benchmark_id, config.protocol)
            prepared = await asyncio.to_thread(prepare, benchmark, config, target, run)
            await _write_plan(self._recorder, prepared, config, target, run)
        await asyncio.to_thread(load, config.shards, config.store)
        await asyncio.to_thread(restore_sessions, config.shards, config.store, new_session_id())

    async def _ask_benchmark(self, benchmark: Benchmark) -> None:
        config, report, target = self._config, self._report, self._target
        prepared = await asyncio.to_thread(prepare, benchmark, config, target, report.run_id)
        report.departures += _departures(prepared, self._servers)
        await _write_plan(self._recorder, prepared, config, target, report.run_id)
        self._expect(prepared)
        groups = prefix_groups(prepared.planned, prepared.known)
        batches = bundles(groups, config.client.batch_size)
        await ask_all(self._client, batches, self._recorder)
        self._progress.end(benchmark.benchmark_id)

    def _expect(self, prepared: Prepared) -> None:
        """Get ready for the benchmark's answers: where they count, and what is kept of them."""
        benchmark = prepared.benchmark
        names = {one.request.request_id for one in prepared.planned}
        tally = self._progress.begin(benchmark.benchmark_id, len(names), len(prepared.known))
        self._report.planned_count += tally.planned_count
        self._report.known_count += tally.known_count
        self._owners.update(dict.fromkeys(names, benchmark.benchmark_id))
        if benchmark.tokens.stores_tokens:
            self._recorder.store_tokens_of(names, self._target.tokenizer)

    def _acknowledge(self, results: list[Answer | Failure]) -> None:
        """Count what is on the disk."""
        for result in results:
            if isinstance(result, Answer):
                self._report.answered_count += 1
            else:
                self._report.add_failure(result)
            self._progress.add(self._owners[result.request.request_id], [result])

    async def _record_beginning(self) -> None:
        row = session_row(
            self._config,
            self._target.model,
            self._report.session_id,
            engine_version=self._servers[0].version,
            server_arguments=arguments_json(self._servers),
            gpu_names=gpu_names(self._servers[0]),
            context_length=self._target.context_length,
        )
        await self._recorder.write("session", [row])

    async def _record_end(self) -> None:
        report = self._report
        row = {
            "session_id": report.session_id,
            "request_count": report.planned_count,
            "answered_count": report.answered_count,
            "failed_count": report.failed_count,
            "finished_at": datetime.now(UTC),
        }
        await self._recorder.write("session_end", [row])


def prefix_groups(planned: Iterable[Planned], known: set[str]) -> list[Group]:
    """What is not known, each request once, put together by the prefix of the prompts."""
    groups: dict[str, Group] = {}
    seen = set(known)
    for one in planned:
        name = one.request.request_id
        if name not in seen:
            seen.add(name)
            groups.setdefault(one.prefix or name, []).append(one.request)
    return list(groups.values())


def _departures(prepared: Prepared, servers: list[Server]) -> list[str]:
    benchmark = prepared.benchmark
    found = list(dict.fromkeys(file.departure for file in prepared.files if file.departure))
    if benchmark.decoding.temperature and not all(server.honours_seeds for server in servers):
        found.append(SEEDS_IGNORED)
    return [f"{benchmark.benchmark_id}: {departure}" for departure in found]


async def _write_plan(
    recorder: Recorder, prepared: Prepared, config: RunConfig, target: Target, run: str
) -> None:
    """Files, items and requests, as far as the raw store does not have them for this run."""
    benchmark = prepared.benchmark
    hashes = {one.item.item_id: item_hash_of(one.item, benchmark) for one in prepared.planned}
    fresh = [
        one
        for one in prepared.planned
        if _key(one, hashes[one.item.item_id]) not in prepared.mapped
    ]
    if prepared.has_files and not fresh:
        return
    await recorder.write("files", file_rows(run, benchmark, prepared.files))
    items = {one.item.item_id: one.item for one in fresh}
    await recorder.write(
        "items",
        [
            item_row(item, hashes[item.item_id], benchmark, config.item_set)
            for item in items.values()
        ],
    )
    tokenizer = target.tokenizer if benchmark.tokens.stores_tokens else None
    size = 20_000
    for start in range(0, len(fresh), size):
        await recorder.write(
            "requests",
            [
                request_row(one, hashes[one.item.item_id], benchmark, target.model, run, tokenizer)
                for one in fresh[start : start + size]
            ],
        )


def _key(one: Planned, item_hash: str) -> tuple[str, str, int, int, str]:
    request = one.request
    return (request.request_id, item_hash, request.sample_index, one.variant_index, one.purpose)


def item_hash_of(item: Item, benchmark: Benchmark) -> str:
    """Name of the item: 32 hexadecimal digits of the sha256 of its benchmark and content."""
    return item_hash_of_content(benchmark.benchmark_id, item.item_id, item.content, item.gold_index)


def file_rows(run: str, benchmark: Benchmark, files: list[BenchmarkFile]) -> list[dict[str, Any]]:
    """The files of a run's benchmark as rows of a shard."""
    return [
        {
            "run_id": run,
            "benchmark_id": benchmark.benchmark_id,
            "role": file.role,
            "file_name": file.path.name if not file.name else f"{file.name}/{file.path.name}",
            "sha256": file.sha256,
            "departure": file.departure,
            "protocol_version": benchmark.protocol_version,
        }
        for file in files
    ]


def item_row(item: Item, item_hash: str, benchmark: Benchmark, item_set: ItemSet) -> dict[str, Any]:
    """An item as a row of a shard."""
    return {
        "item_hash": item_hash,
        "item_set": item_set,
        "benchmark_id": benchmark.benchmark_id,
        "item_id": item.item_id,
        "item_index": item.position,
        "subset": item.subset,
        "cluster_id": item.cluster_id,
        "fields": json.dumps(item.fields, ensure_ascii=False),
        "target": item.target,
        "golds": item.golds,
        "choices": item.choices,
        "gold_index": item.gold_index,
    }


def request_row(
    one: Planned,
    item_hash: str,
    benchmark: Benchmark,
    model: Model,
    run: str,
    tokenizer: Tokenizer | None,
) -> dict[str, Any]:
    """A planned request as a row of a shard; with a tokenizer, the target as token ids too."""
    request = one.request
    return {
        "run_id": run,
        "benchmark_id": benchmark.benchmark_id,
        "protocol_version": benchmark.protocol_version,
        "scorer": benchmark.scorer,
        "item_hash": item_hash,
        "sample_index": request.sample_index,
        "variant_index": one.variant_index,
        "purpose": one.purpose,
        "request_id": request.request_id,
        "target_token_ids": tokenizer.encode(one.item.target, special_tokens=False).tolist()
        if tokenizer
        else None,
        "model_id": model.model_id,
        "model_revision": model.revision,
        "tokenizer_id": model.tokenizer_id,
        "kind": request.kind,
        "prompt_id": prompt_id(request.prompt),
        "prompt_text": request.prompt,
        "continuations": request.continuations,
        "decoding": request.decoding,
        "prompt_token_count": request.prompt_token_count,
        "dropped_token_count": request.dropped_token_count,
    }
