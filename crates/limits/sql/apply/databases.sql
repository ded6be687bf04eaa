-- Purpose: the databases that can be connected to: all of them share the counter.
-- Locks: none
-- Oldest version: 14
select datname::text from pg_database where datallowconn order by datname
