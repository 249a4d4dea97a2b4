"""Progress: what people see of a run while it goes on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from inference.asking.client import Failure
from warehouse.outside_text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from rich.console import Console
    from rich.progress import TaskID

    from inference.asking.client import Answer


@dataclass(slots=True)
class Tally:
    """What has become of a benchmark's requests in this session."""

    planned_count: int = 0
    """Requests that the benchmark needs, those answered earlier included."""
    known_count: int = 0
    """Requests that were answered earlier."""
    answered_count: int = 0
    failed_count: int = 0
    input_token_count: int = 0
    cached_token_count: int = 0
    output_token_count: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, result: Answer | Failure) -> None:
        """Count a result that is on the disk."""
        if isinstance(result, Failure):
            self.failed_count += 1
            return
        self.answered_count += 1
        self.input_token_count += result.input_token_count
        self.cached_token_count += result.cached_token_count or 0
        self.output_token_count += result.output_token_count

    @property
    def cached_share(self) -> float | None:
        """Of the input tokens, the share that the server had already; null before any."""
        return self.cached_token_count / self.input_token_count if self.input_token_count else None

    @property
    def tokens_per_second(self) -> float:
        """Input and output tokens, those in the cache included, per second so far."""
        seconds = max(time.monotonic() - self.started, 1e-9)
        return (self.input_token_count + self.output_token_count) / seconds

    def words(self) -> str:
        """Speed, cached share and failures, in a line."""
        parts = [f"{self.tokens_per_second:,.0f} tokens/s"]
        if self.cached_share is not None:
            parts.append(f"{self.cached_share:.0%} cached")
        if self.known_count:
            parts.append(f"{self.known_count} known")
        if self.failed_count:
            parts.append(f"[red]{self.failed_count} failed[/red]")
        return ", ".join(parts)


class RunProgress:
    """A bar per benchmark on a terminal; a line per benchmark where there is none."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}"),
            console=console,
        )
        self._live = Live(Group(self._progress), console=console, refresh_per_second=4)
        self.tallies: dict[str, Tally] = {}
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> RunProgress:
        """Begin to show."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state on the screen."""
        if self._console.is_terminal:
            self._live.stop()

    def begin(self, benchmark_id: str, planned_count: int, known_count: int) -> Tally:
        """A benchmark is about to be asked."""
        tally = Tally(planned_count, known_count)
        self.tallies[benchmark_id] = tally
        self._tasks[benchmark_id] = self._progress.add_task(
            escape(visible(benchmark_id)), total=planned_count, completed=known_count, words=""
        )
        return tally

    def add(self, benchmark_id: str, results: Iterable[Answer | Failure]) -> None:
        """Results are on the disk."""
        tally = self.tallies[benchmark_id]
        for result in results:
            tally.add(result)
        self._progress.update(
            self._tasks[benchmark_id],
            completed=tally.known_count + tally.answered_count + tally.failed_count,
            words=tally.words(),
        )

    def end(self, benchmark_id: str) -> None:
        """A benchmark is done: where there are no bars, say so."""
        tally = self.tallies[benchmark_id]
        if not self._console.is_terminal:
            done = tally.known_count + tally.answered_count
            name = escape(visible(benchmark_id))
            self._console.print(
                f"{name}: {done} of {tally.planned_count} answered, {tally.words()}",
                highlight=False,
            )
