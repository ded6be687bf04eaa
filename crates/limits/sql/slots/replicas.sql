-- Purpose: how far replicas and other readers of the WAL lag behind.
-- Locks: none
-- Oldest version: 14
select
    coalesce(nullif(r.application_name, ''), r.pid::text) as name,
    r.pid,
    r.state,
    pg_wal_lsn_diff(
        case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
        r.replay_lsn
    )::float8 as lag_bytes,
    extract(epoch from r.replay_lag)::float8 as lag_s
from pg_stat_replication r
order by 4 desc nulls last, 1
limit 50
