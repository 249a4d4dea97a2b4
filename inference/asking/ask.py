"""Asking: requests through a client into shards, with bounded memory."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inference.asking.client import Answer, Client, Failure, Group
    from inference.asking.recording import Recorder

CHECK_SECONDS = 0.25
"""How often the recorder is asked whether something is due."""


async def ask_all(
    client: Client,
    bundles: Iterable[list[Group]],
    recorder: Recorder,
    on_result: Callable[[Answer | Failure], None] | None = None,
) -> None:
    """Ask every request of `bundles`; when this returns, all results are on the disk.

    Bundles are taken one by one, when there is room for another: so many requests are in
    memory as are under way or wait for their shard, however many there are in all.

    Raises:
        EndpointError: a server stayed away; what had been answered is on the disk.
    """
    # Twice as many bundles as slots: none of the servers runs dry while a bundle ends.
    room = asyncio.Semaphore(2 * client.settings.concurrency * len(client.endpoints))
    is_over = asyncio.Event()
    flushing = asyncio.create_task(_flush_when_due(recorder, is_over))

    def take(result: Answer | Failure) -> None:
        recorder.add(result)
        if on_result is not None:
            on_result(result)

    async def ask(bundle: list[Group]) -> None:
        try:
            await client.ask(bundle, take)
        finally:
            room.release()
        if recorder.is_due:
            await recorder.flush()

    try:
        async with asyncio.TaskGroup() as tasks:
            for bundle in bundles:
                await room.acquire()
                tasks.create_task(ask(bundle))
    except BaseExceptionGroup as group:
        # One reason is enough: a server that is away is away for every task.
        raise _first(group) from group
    finally:
        is_over.set()
        await flushing
        await recorder.flush()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _flush_when_due(recorder: Recorder, is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), CHECK_SECONDS)
        if recorder.is_due:
            await recorder.flush()
