-- Purpose: figures over time: as measured (resolution 0), by hour (1), by day (2). `at` is the time, or where the bucket
-- begins. No foreign key: samples without a series are read by nobody and go with their age.
-- Locks: none that anybody else waits for
-- Oldest version: 14
create table corridor.sample (
    at timestamptz not null,
    series_id int not null,
    resolution smallint not null check (resolution between 0 and 2),
    last float8 not null,
    first float8,
    low float8,
    high float8,
    count int check (count > 0),
    -- Time first: roll-up, retention and a check take many series of few times.
    primary key (resolution, at, series_id),
    constraint buckets_are_whole check (
        (resolution = 0) = (count is null)
        and (count is null) = (first is null)
        and (count is null) = (low is null)
        and (count is null) = (high is null)
    )
) with (autovacuum_vacuum_scale_factor = 0.05)
