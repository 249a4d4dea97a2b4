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
  RawStoreWriteError         DuckDB cannot write the raw store; what was in it before is kept
  DiskError                  the disk is full, may not be written, or fails
  ShardDamagedError          a shard's bytes are not those that were written, or a row is invalid
  ShardUnreadableError       the machine does not give a shard's bytes, or it is no file
  ShardWaitingError          a shard's rows name what is not in the raw store, and may still come
  ShardNewerError            a later version of this project has written the shard
  NothingToForgetError       the raw store has nothing of what is to be forgotten
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


class RawStoreWriteError(WarehouseError):
    """DuckDB cannot write the raw store; what was in it before is kept."""


class DiskError(WarehouseError):
    """The disk is full, may not be written, or fails."""


class ShardDamagedError(WarehouseError):
    """A shard's bytes are not those that were written, or one of its rows breaks a rule."""


class ShardUnreadableError(WarehouseError):
    """The machine does not give a shard's bytes, or it is no file."""


class ShardWaitingError(WarehouseError):
    """A shard's rows name what is not in the raw store, and may still come."""


class ShardNewerError(WarehouseError):
    """A later version of this project has written the shard."""


class NothingToForgetError(WarehouseError):
    """The raw store has nothing of what is to be forgotten."""


class QueryError(WarehouseError):
    """The query was refused or failed."""
