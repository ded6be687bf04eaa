-- Purpose: how old the oldest ids of a relation are.
-- Locks: none
-- Oldest version: 14
select age(c.relfrozenxid)::float8 as xid_age, mxid_age(c.relminmxid)::float8 as mxid_age
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2
