/* corridor */
-- Purpose: what this server can tell: is it on this machine, and where pg_stat_statements is installed.
-- Locks: none
-- Oldest version: 14
select
    inet_server_addr() is null
        or inet_server_addr() <<= inet '127.0.0.0/8'
        or inet_server_addr() = inet '::1' as is_local,
    (
        select n.nspname
        from pg_extension e
        join pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'pg_stat_statements'
    ) as statements_schema
