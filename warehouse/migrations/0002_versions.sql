-- Who wrote what: the version of this project that asked, and the version of the records in which a
-- shard was written. Sessions of before do not know theirs; shards of before are of version 1.
alter table raw.run_sessions add column code_version varchar;

alter table raw.loaded_shards add column shard_version integer default 1;
alter table raw.loaded_shards alter column shard_version set not null;
alter table raw.loaded_shards alter column shard_version drop default;

-- A stand-in counts for the version of the protocol that it was read for, and an outcome may come
-- with the demonstration answers instead of from this machine's sandbox.
alter table raw.run_files add column protocol_version varchar default '';
alter table raw.run_files alter column protocol_version set not null;
alter table raw.run_files alter column protocol_version drop default;

-- A new boolean column cannot be made not null in the same transaction (DuckDB 1.5.5: "Cannot
-- create index with outstanding updates"); an integer can, and can then become a boolean.
alter table raw.program_outcomes add column is_recorded integer default 0;
alter table raw.program_outcomes alter column is_recorded set not null;
alter table raw.program_outcomes alter column is_recorded drop default;
alter table raw.program_outcomes alter column is_recorded type boolean;
