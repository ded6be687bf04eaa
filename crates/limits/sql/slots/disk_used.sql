-- Purpose: what databases and WAL take, where only the size of the disk is known.
-- Locks: none
-- Oldest version: 14
select
    (select sum(pg_database_size(d.oid)) from pg_database d)::float8
    + (select coalesce(sum(w.size), 0) from pg_ls_waldir() w)::float8 as used_bytes
