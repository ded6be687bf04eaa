-- Purpose: what holds locks back or suffers from them on this server.
-- Locks: none.
-- Oldest version: 14
select
    pg_catalog.current_setting('server_version_num')::int4 / 10000 as major,
    pg_catalog.current_setting('timezone') in ('UTC', 'Etc/UTC', 'GMT') as is_utc,
    (
        select pg_catalog.max(extract(epoch from pg_catalog.clock_timestamp() - xact_start))::float8
        from pg_catalog.pg_stat_activity
        where xact_start is not null and pid <> pg_catalog.pg_backend_pid() and backend_type = 'client backend'
    ) as oldest_transaction_s,
    (select pg_catalog.count(*) from pg_catalog.pg_stat_replication) as replicas,
    (select pg_catalog.count(*) from pg_catalog.pg_replication_slots) as slots,
    pg_catalog.to_regclass('pg_stat_statements') is not null as has_statements
