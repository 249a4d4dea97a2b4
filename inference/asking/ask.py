"""Asking: requests through a client into shards, with bounded memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from inference.errors import EndpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inference.asking.client import Answer, Client, Failure, Group
    from inference.asking.recording import Recorder

CHECK_SECONDS = 0.25
"""How often the recorder is asked whether something is due."""

FULL_SECONDS = 0.05
"""How often it is asked whether there is room again, when there is none."""


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
        ModelChangedError: a server serves another model than when the run began.
        EndpointError: a server stayed away.
        RecordingError: the disk takes no more; `recorder.pending_count` results are not on it.

    Whatever ends it, what had been answered and can be confirmed is on the disk.
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
        await client.ask(bundle, take)
        while recorder.is_full:
            await asyncio.sleep(FULL_SECONDS)
        room.release()

    try:
        async with asyncio.TaskGroup() as watched:
            # What ends the recorder ends the asking.
            watching = watched.create_task(_until_done(flushing))
            async with asyncio.TaskGroup() as tasks:
                for bundle in bundles:
                    await room.acquire()
                    tasks.create_task(ask(bundle))
            watching.cancel()
        is_over.set()
        await flushing
        await _drain(recorder, client.settings.patience_seconds)
    except BaseExceptionGroup as group:
        # One reason is enough: a server that is away is away for every task.
        raise _first(group) from group
    finally:
        is_over.set()
        # A flush that is under way comes to its end; what it raised is on its way already.
        await asyncio.wait([flushing])
        if recorder.pending_count:
            await recorder.abandon()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def _until_done(task: asyncio.Task[None]) -> None:
    await asyncio.shield(task)


async def _drain(recorder: Recorder, patience_seconds: float) -> None:
    """Write the last results, as soon as the servers that gave them can be looked at."""
    started = time.monotonic()
    await recorder.flush()
    while recorder.pending_count:
        if time.monotonic() - started > patience_seconds:
            raise EndpointError(
                f"a server that answered could not be looked at again for {patience_seconds:.0f} s:"
                " nobody can say whether it still serves the same model"
            )
        await asyncio.sleep(CHECK_SECONDS)
        await recorder.flush()


async def _flush_when_due(recorder: Recorder, is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(is_over.wait(), CHECK_SECONDS)
        if recorder.is_due:
            await recorder.flush()
