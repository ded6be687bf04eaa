-- Purpose: the bytes of pg_wal, and what the demo's slot keeps of them.
-- Locks: none
-- Oldest version: 14
select
    (select sum(w.size) from pg_ls_waldir() w)::float8 as wal_bytes,
    coalesce(
        (
            select pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)
            from pg_replication_slots s
            where s.slot_name = 'reporting_standby'
        ), 0
    )::float8 as slot_keeps_bytes
