"""What can go wrong when the warehouse or the raw store is read or written.

WarehouseError
  WarehouseMissingError      there is no file: nothing has been built yet
  WarehouseBusyError         another process is writing the file
  WarehouseUnreadableError   there is a file, and DuckDB cannot open it
  BuildError                 a build could not begin, or not take the warehouse's place
  RawStoreBusyError          another process has held the raw store too long
  RawStoreUnreadableError    there is a raw store, and DuckDB cannot open it, or it is none
  RawStoreVersionError       the raw store is of another version than this code
  MigrationError             the raw store could not be brought to this version; it is as it was
  ShardDamagedError          a shard's bytes are not those that were written, or a row is invalid
  ShardNewerError            a later version of this project has written the shard
  QueryError                 the query was refused or failed
"""

from __future__ import annotations


class WarehouseError(Exception):
    """The data could not be read or written; the message says what was found and what to do."""


class WarehouseMissingError(WarehouseError):
    """There is no file: nothing has been built yet."""


class WarehouseBusyError(WarehouseError):
    """Another process is writing the file."""


class WarehouseUnreadableError(WarehouseError):
    """There is a file, and DuckDB cannot open it."""


class BuildError(WarehouseError):
    """A build could not begin, or not take the warehouse's place, which is as it was."""


class RawStoreBusyError(WarehouseError):
    """Another process has held the raw store too long."""


class RawStoreUnreadableError(WarehouseError):
    """There is a raw store, and DuckDB cannot open it, or it is none."""


class RawStoreVersionError(WarehouseError):
    """The raw store is of another version than this code."""


class MigrationError(WarehouseError):
    """The raw store could not be brought to this version; it is as it was."""


class ShardDamagedError(WarehouseError):
    """A shard's bytes are not those that were written, or one of its rows breaks a rule."""


class ShardNewerError(WarehouseError):
    """A later version of this project has written the shard."""


class QueryError(WarehouseError):
    """The query was refused or failed."""
