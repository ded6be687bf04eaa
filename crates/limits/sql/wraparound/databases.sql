-- Purpose: the age of each database's oldest ids; the oldest databases first.
-- Locks: none
-- Oldest version: 14
select
    d.datname::text as name,
    age(d.datfrozenxid)::float8 as xid_age,
    mxid_age(d.datminmxid)::float8 as mxid_age,
    d.datname = current_database() as is_here,
    d.datallowconn as can_connect
from pg_database d
order by greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) desc
limit 100
