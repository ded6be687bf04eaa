-- Purpose: how many wait in a transaction, how many are prepared, since when the oldest is open, and how many are hidden.
-- Locks: none
-- Oldest version: 14
select
    count(*) filter (where a.state like 'idle in transaction%')::float8 as idle_in_transaction,
    max(extract(epoch from clock_timestamp() - a.xact_start))
        filter (where a.backend_type = 'client backend' and a.pid <> pg_backend_pid())::float8 as oldest_s,
    (select count(*) from pg_prepared_xacts)::float8 as prepared,
    -- The server shows what a session does only to its own role, and to those who may read all statistics.
    count(*) filter (where a.state is null and a.backend_type is null)::float8 as hidden
from pg_stat_activity a
