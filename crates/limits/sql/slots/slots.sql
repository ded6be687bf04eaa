-- Purpose: replication slots and the WAL that each keeps, the most first.
-- Locks: none
-- Oldest version: 14
select
    s.slot_name::text as name,
    s.slot_type = 'logical' as is_logical,
    s.active as is_active,
    s.active_pid as pid,
    s.wal_status,
    s.safe_wal_size::float8 as safe_bytes,
    pg_wal_lsn_diff(
        case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
        s.restart_lsn
    )::float8 as kept_bytes,
    -- A column since PostgreSQL 17.
    extract(epoch from clock_timestamp() - (to_jsonb(s) ->> 'inactive_since')::timestamptz)::float8 as unused_s
from pg_replication_slots s
where not s.temporary
order by 7 desc nulls last, 1
limit 50
