"""Build plugin: has dbt write a file of its own and publishes it when it is complete.

Commands that write (`WRITING`) build; all others read the published warehouse.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags
from dbt_common.events.base_types import EventLevel
from dbt_common.events.event_manager_client import add_callback_to_manager
from dbt_common.events.functions import fire_event
from dbt_common.events.types import Note
from dbt_common.exceptions import DbtRuntimeError
from dbt_common.invocation import get_invocation_id

from warehouse.builds import Build
from warehouse.connection import check_warehouse_file
from warehouse.errors import (
    BuildError,
    WarehouseError,
    WarehouseMissingError,
    WarehouseUnreadableError,
)
from warehouse.last_words import last_words
from warehouse.raw_store import open_raw_store

if TYPE_CHECKING:
    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from dbt_common.events.base_types import EventMsg
    from duckdb import DuckDBPyConnection

WRITING = frozenset({"build", "run", "seed", "snapshot", "test"})
"""The dbt commands that build; `dbt retry` does what it retries."""

STORAGE_VERSION = "v1.5.0"
"""The version of DuckDB that can open what is written, whichever library writes it."""

RAW_STORE_PATIENCE_SECONDS = 45.0
"""How long a build waits for whoever writes the raw store."""


class _Outcome(NamedTuple):
    """What a command has left in the file that it wrote."""

    build_number: int
    is_success: bool
    """Whether all that it ran succeeded."""
    failed_count: int
    node_count: int
    unfinished_count: int
    """Nodes of the project that have not succeeded in this file."""


class Plugin(BasePlugin):
    """The dbt-duckdb plugin that opens the file a command is to work on, and publishes it."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Begin with nothing open."""
        self._build: Build | None = None
        self._connection: DuckDBPyConnection | None = None
        self._refusal: str | None = None
        self._message: str | None = None
        self._until_ended = ExitStack()

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Put the path of what dbt is to open in the place of the warehouse's.

        Waits until nobody writes the raw store, which dbt attaches for reading until it ends.
        """
        if self._refusal is not None:
            # dbt asks again for every node: to wait again for each would take hours.
            raise DbtRuntimeError(self._refusal)
        try:
            for attachment in creds.attach or ():
                with open_raw_store(
                    Path(attachment.path),
                    read_only=True,
                    patience_seconds=RAW_STORE_PATIENCE_SECONDS,
                ):
                    pass
            if _flag("WHICH") in WRITING:
                config["storage_compatibility_version"] = STORAGE_VERSION
                # The log is folded into the file once, at the end, not after every large table.
                config["wal_autocheckpoint"] = "1GB"
                self._build = _begun(Path(creds.path), config)
                self._until_ended.enter_context(last_words(_last_words(self._build)))
                creds.path = str(self._build.building)
                add_callback_to_manager(self._follow)
            elif _is_there(Path(creds.path)):
                config["access_mode"] = "READ_ONLY"
            elif _flag("WHICH") == "show":
                raise WarehouseMissingError(
                    f"there is no warehouse at {creds.path} yet: run `dbt build`"
                )
            else:
                # To compile and to document the project takes no data.
                creds.path = ":memory:"
        except WarehouseError as error:
            self._refusal = str(error)
            # dbt prints the sentence of its own errors, and a traceback of others.
            raise DbtRuntimeError(self._refusal) from error

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Remember what to close before the file is published."""
        self._connection = conn
        if self.creds is not None and self.creds.path == ":memory:":
            conn.execute(f"attach ':memory:' as \"{self.creds.database}\"")

    def configure_cursor(self, cursor: DuckDBPyConnection) -> None:
        """Refuse to go on where DuckDB does, after a fault of the disk.

        dbt, which opens a cursor for each node, would end with a traceback of what it says.
        """
        try:
            cursor.execute("select 1")
        except duckdb.Error as error:
            path = "the warehouse" if self.creds is None else self.creds.path
            message = f"{path} can be read and written no more: {_in_a_line(error)}"
            raise DbtRuntimeError(message) from error

    def _follow(self, event: EventMsg) -> None:
        """Publish when dbt has run all, before it says so; tell at the end what was done."""
        if event.info.name == "EndRunResult" and self._build is not None:
            self._end(self._build)
        elif event.info.name == "CommandCompleted":
            if self._build is not None:
                self._give_up(self._build, "it was stopped before it ended")
            if self._message is not None:
                fire_event(Note(msg=self._message), level=EventLevel.INFO)

    def _end(self, build: Build) -> None:
        """Publish what was built if it is complete, and give it up if not."""
        assert self._connection is not None
        try:
            outcome = _outcome(self._connection)
            reason = _reason_to_refuse(outcome)
            self._connection.execute("checkpoint")
        except duckdb.Error as error:
            reason = f"DuckDB could not write it to its end: {_in_a_line(error)}"
        self._connection.close()
        self._until_ended.close()
        if reason is not None:
            self._give_up(build, reason)
            return
        self._build = None
        try:
            build.publish()
        except WarehouseError as error:
            raise DbtRuntimeError(str(error)) from error
        self._message = f"Published {_shown(build.path)}."

    def _give_up(self, build: Build, reason: str) -> None:
        self._build = None
        is_kept = not _has_no_rows()
        build.give_up(reason, is_kept=is_kept)
        path = _shown(build.path)
        stands = f"{path} is as it was" if build.path.exists() else f"There is no {path} yet"
        self._message = f"Not published: {reason}. {stands}."
        if is_kept:
            self._message += (
                f" What was built is in {_shown(build.building)}, the rows that failed a test in"
                " its schema test_failures. When the cause is mended, `dbt retry` goes on with it"
                " and `dbt build` begins anew."
            )


def _last_words(build: Build) -> str:
    """What is said where a failing disk ends the process in the middle of the build."""
    return (
        f"{build.building} could not be written, so {build.path} was not built anew and is as it"
        " was; mend the disk and run the same command again"
    )


def _in_a_line(error: duckdb.Error) -> str:
    return "; ".join(line for line in str(error).splitlines() if line)


def _is_there(path: Path) -> bool:
    """Whether there is a warehouse to read; raises WarehouseError where it can be none."""
    check_warehouse_file(path)
    return path.exists()


def _begun(path: Path, config: dict[str, Any]) -> Build:
    """A build of the warehouse at `path`, whose file can be opened with this configuration."""
    commands = WRITING | {"retry"}
    words = [word for word in _flag("INVOCATION_COMMAND").split() if word in commands]
    build = Build(path, _flag("WHICH"), is_retry=words[:1] == ["retry"])
    try:
        duckdb.connect(build.building, config=config).close()
    except duckdb.Error as error:
        build.give_up("it could not be opened", is_kept=False)
        if not build.path.exists():
            raise BuildError(
                f"{build.building} cannot be written or opened: {_in_a_line(error)}. It is removed;"
                " make room on the disk or mend it, and run `dbt build` again"
            ) from error
        raise WarehouseUnreadableError(
            f"{path} cannot be opened as a DuckDB database: {error}. If it is not one, name the"
            " right file in EVALWH_WAREHOUSE; if it is damaged, delete it and run `dbt build`"
        ) from error
    return build


def _outcome(connection: DuckDBPyConnection) -> _Outcome | None:
    """What this command has recorded; null if it did not come to its end."""
    row = connection.execute(
        """
        select
            build_number, is_success, failed_count, node_count,
            (select count(*) from meta.unfinished_nodes)
        from meta.builds
        where invocation_id = ? and finished_at is not null
        """,
        [get_invocation_id()],
    ).fetchone()
    return None if row is None else _Outcome(*row)


def _reason_to_refuse(outcome: _Outcome | None) -> str | None:
    """Why what was built is not published, as a clause; null if it is."""
    if outcome is None:
        return "it could not be recorded in meta.builds"
    if not outcome.is_success:
        return f"{outcome.failed_count} of {outcome.node_count} steps failed or were skipped"
    if _has_no_rows():
        return "tables without rows (--empty), or with some (--sample), are no warehouse"
    if outcome.unfinished_count:
        return (
            f"{outcome.unfinished_count} seeds, models and tests of the project have not yet"
            " succeeded in it, and `dbt build` without a selection runs all"
        )
    return None


def _has_no_rows() -> bool:
    """Whether dbt was told to build tables without their rows, or with some of them."""
    return bool(_flag("EMPTY") or _flag("SAMPLE"))


def _flag(name: str) -> Any:
    """What dbt was told; null if the command at hand cannot be told it."""
    return getattr(get_flags(), name, None)  # type: ignore[no-untyped-call]


def _shown(path: Path) -> str:
    """A path as it is written from the working directory."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
