"""Sessions: one invocation that asks a model, and the run that it belongs to."""

from __future__ import annotations

import fcntl
import hashlib
import json
import platform
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from inference.asking.client import ClientSettings
from inference.credentials import shown
from inference.errors import RunError
from inference.planning.declarations import BENCHMARKS, benchmark_ids, protocols_of
from inference.provenance import code_commit, code_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from inference.planning.requests import Model
    from warehouse.records import RunSession

ItemSet = Literal["real", "demo"]
"""real: the benchmark's own items. demo: a few written for this project, in its format."""


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What is asked of whom; written whole into the raw store."""

    model_id: str
    benchmark_ids: tuple[str, ...]
    endpoints: tuple[str, ...]
    revision: str | None = None
    tokenizer: str | None = None
    """Folder or hub repository; null for the server's own."""
    context_length: int | None = None
    """Null for what the server says."""
    protocol: str = "reference"
    item_set: ItemSet = "real"
    limit: int | None = None
    """Only the first so many items of each benchmark; null for all."""
    cache: Path = Path("data/benchmarks")
    shards: Path = Path("data/shards")
    store: Path = Path("data/generations.duckdb")
    client: ClientSettings = field(default_factory=ClientSettings)

    @property
    def shown_endpoints(self) -> tuple[str, ...]:
        """The endpoints as they are stored and shown, without users and passwords."""
        return tuple(shown(endpoint) for endpoint in self.endpoints)

    def as_json(self) -> str:
        """The configuration as it is stored."""
        known = {**asdict(self), "endpoints": self.shown_endpoints}
        return json.dumps(known, default=str, sort_keys=True)


def selected_benchmarks(names: Sequence[str], protocol: str) -> tuple[str, ...]:
    """The named benchmarks; `all` stands for every one that has the protocol.

    Declarations that are not named are not read: a damaged one stops nobody else.

    Raises:
        DeclarationError: a declaration that is meant is not valid.
        RunError: a name is not declared, or does not have the protocol.
    """
    declared = benchmark_ids(BENCHMARKS)
    if list(names) == ["all"]:
        having = tuple(name for name in declared if protocol in protocols_of(name))
        if not having:
            raise RunError(f"no benchmark has a protocol {protocol!r}")
        return having
    for name in names:
        if name not in declared:
            raise RunError(f"there is no benchmark {name!r}; there are {', '.join(declared)}")
        protocols = protocols_of(name)
        if protocol not in protocols:
            raise RunError(f"{name} has no protocol {protocol!r}; it has {', '.join(protocols)}")
    return tuple(dict.fromkeys(names))


def run_id(model: Model, protocol: str, item_set: ItemSet) -> str:
    """Name of the run: the same model, protocol and set of items are the same run.

    Asking again goes on with it: content-addressed requests are not asked twice.
    """
    digest = hashlib.sha256(
        json.dumps([asdict(model), protocol, item_set], sort_keys=True).encode()
    ).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", model.model_id)
    return f"{name}-{digest[:8]}"


@contextmanager
def only_session(folder: Path, run: str) -> Iterator[None]:
    """Keep other sessions of the same run out; the lock goes with the process, however it ends.

    Raises:
        RunError: another session of the run is under way, or the folder cannot be written to.
    """
    path = folder / f".{run}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror}; nothing was asked") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(
                f"the run {run} is being asked by another process; wait for it to end"
            ) from error
        yield


def session_row(
    config: RunConfig,
    model: Model,
    session_id: str,
    *,
    engine_version: str | None,
    server_arguments: str,
    gpu_names: list[str] | None,
    context_length: int,
) -> RunSession:
    """The session as it is stored: all that a reader may want to know about how it was asked."""
    return {
        "run_id": run_id(model, config.protocol, config.item_set),
        "session_id": session_id,
        "item_set": config.item_set,
        "protocol": config.protocol,
        "model_id": model.model_id,
        "model_revision": model.revision,
        "tokenizer_id": model.tokenizer_id,
        "context_length": context_length,
        "benchmark_ids": list(config.benchmark_ids),
        "endpoints": list(config.shown_endpoints),
        "engine": "sglang",
        "engine_version": engine_version,
        "server_arguments": server_arguments,
        "gpu_names": gpu_names,
        "concurrency": config.client.concurrency,
        "batch_size": config.client.batch_size,
        "configuration": config.as_json(),
        "code_commit": code_commit(),
        "code_version": code_version(),
        "python_version": platform.python_version(),
        "started_at": datetime.now(UTC),
    }
