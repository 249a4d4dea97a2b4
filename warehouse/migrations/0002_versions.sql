-- Who wrote what: the version of this project that asked, and the version of the records in which a
-- shard was written. Sessions of before do not know theirs; shards of before are of version 1.
alter table raw.run_sessions add column code_version varchar;

-- Tables that gain a column that is never null are made anew: whether DuckDB 1.5.5 can forbid null
-- in a column that the same transaction has added depends on how the table came to be filled
-- ("Cannot create index with outstanding updates").
create table raw.new_loaded_shards (
    shard_name varchar not null primary key,
    kind varchar not null,
    row_count bigint not null,
    loaded_at timestamptz not null,
    shard_version integer not null
);
insert into raw.new_loaded_shards by name
select
    shard_name,
    kind,
    row_count,
    loaded_at,
    1 as shard_version
from raw.loaded_shards;
drop table raw.loaded_shards;
alter table raw.new_loaded_shards rename to loaded_shards;

-- A stand-in counts for the version of the protocol that it was read for.
create table raw.new_run_files (
    run_id varchar not null,
    benchmark_id varchar not null,
    role varchar not null,
    file_name varchar not null,
    sha256 varchar not null,
    departure varchar not null,
    protocol_version varchar not null
);
insert into raw.new_run_files by name
select
    run_id,
    benchmark_id,
    role,
    file_name,
    sha256,
    departure,
    '' as protocol_version
from raw.run_files;
drop table raw.run_files;
alter table raw.new_run_files rename to run_files;

-- An outcome may come with the demonstration answers instead of from this machine's sandbox.
create table raw.new_program_outcomes (
    request_id varchar not null,
    item_hash varchar not null,
    measure_id varchar not null,
    measure_version integer not null,
    outcome varchar not null,
    error_head varchar not null,
    wall_seconds double not null,
    measured_at timestamptz not null,
    is_recorded boolean not null
);
insert into raw.new_program_outcomes by name
select
    request_id,
    item_hash,
    measure_id,
    measure_version,
    outcome,
    error_head,
    wall_seconds,
    measured_at,
    false as is_recorded
from raw.program_outcomes;
drop table raw.program_outcomes;
alter table raw.new_program_outcomes rename to program_outcomes;
