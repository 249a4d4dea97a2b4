-- Who wrote what: the version of this project that asked, and the version of the records in which a
-- shard was written. Sessions of before do not know theirs; shards of before are of version 1.
alter table raw.run_sessions add column code_version varchar;

alter table raw.loaded_shards add column shard_version integer default 1;
alter table raw.loaded_shards alter column shard_version set not null;
alter table raw.loaded_shards alter column shard_version drop default;
