-- Purpose: the age of the oldest database, and how many ids are left until the server refuses writes.
-- Locks: none
-- Oldest version: 14
select
    max(age(d.datfrozenxid))::float8 as oldest_xid_age,
    2144483648 - max(age(d.datfrozenxid))::float8 as xids_left
from pg_database d
