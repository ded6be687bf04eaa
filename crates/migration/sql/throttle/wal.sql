/* corridor */
-- Purpose: how much WAL was ever written, and when this was; two of them make a rate.
-- Locks: none
-- Oldest version: 14
select
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 as bytes,
    extract(epoch from clock_timestamp())::float8 as at_s
