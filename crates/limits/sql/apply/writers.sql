-- Purpose: how long the application's writes are at work, and how many of its sessions wait for the counter of object ids.
-- What was begun ten seconds ago or earlier is a long job, and no sign. Corridor's own sessions are left out.
-- Locks: none
-- Oldest version: 14
select
    count(*) filter (where a.wait_event in ('OidGen', 'OidGenLock'))::float8 as waiting,
    coalesce(
        max(extract(epoch from clock_timestamp() - a.query_start)) filter (
            where a.state = 'active'
                -- A write has no transaction id before its first row.
                and (a.backend_xid is not null or a.query ~* '^\s*(insert|update|delete|merge|copy)')
                and a.query_start > clock_timestamp() - interval '10 seconds'
        ),
        0
    )::float8 * 1000 as slowest_ms
from pg_stat_activity a
where a.backend_type = 'client backend'
    and a.application_name not like 'corridor:apply:%'
