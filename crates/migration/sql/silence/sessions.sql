-- Purpose: what the server thinks that our own sessions are doing, and for how long; no row: it has no such session.
-- Locks: none
-- Oldest version: 14
select
    pid,
    coalesce(state, '') as state,
    coalesce(extract(epoch from clock_timestamp() - state_change), 0)::float8 as since_s
from pg_stat_activity
where pid = any($1::int[])
