-- Purpose: the position in the WAL, its archive, temporary files, and connections.
-- Locks: none
-- Oldest version: 14
select
    pg_wal_lsn_diff(
        case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
        '0/0'
    )::float8 as wal_bytes,
    a.last_failed_time > coalesce(a.last_archived_time, '-infinity') as is_archive_failing,
    a.failed_count::float8 as archive_failures,
    a.last_failed_wal,
    extract(epoch from clock_timestamp() - coalesce(a.last_archived_time, a.stats_reset))::float8 as archived_s,
    (select d.temp_bytes::float8 from pg_stat_database d where d.datname = current_database()) as temp_bytes,
    (
        select count(*)::float8
        from pg_stat_activity s
        where s.datid is not null and coalesce(s.backend_type, 'client backend') = 'client backend'
    ) as connections,
    (select count(*)::float8 from pg_stat_activity s where s.state = 'idle') as idle,
    (select count(*)::float8 from pg_stat_activity s where s.state like 'idle in transaction%') as idle_in_transaction,
    current_setting('max_connections')::float8 as max_connections,
    current_setting('superuser_reserved_connections')::float8
        + coalesce(current_setting('reserved_connections', true)::float8, 0) as reserved_connections,
    (select setting::float8 * 1048576 from pg_settings where name = 'max_wal_size') as max_wal_bytes
from pg_stat_archiver a
