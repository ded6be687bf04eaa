-- Purpose: the files of MultiXact members; each has room for 52,352 of them.
-- Locks: none
-- Oldest version: 14
select count(*)::float8 as files
from pg_ls_dir('pg_multixact/members') f (name)
where f.name ~ '^[0-9A-F]{4,}$'
