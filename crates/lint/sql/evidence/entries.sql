-- Purpose: how often each statement of this database was called so far. Texts of queries only: others may hold a password.
-- Locks: none.
-- Oldest version: 14. The time since which an entry counts is there from 17 on.
select
    s.userid,
    coalesce(pg_catalog.pg_get_userbyid(s.userid)::text, '') as role,
    s.queryid as query_id,
    s.toplevel as is_top_level,
    s.calls,
    s.total_exec_time as total_ms,
    pg_catalog.to_jsonb(s) ->> 'stats_since' as counted_since,
    case
        when s.query ~* '^\s*(/\*([^*]|\*[^/])*\*/\s*|--[^\n]*\n\s*)*(select|insert|update|delete|merge|with|table|values)\M'
            then pg_catalog.left(s.query, 20000)
    end as text
from pg_stat_statements s
where s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and s.queryid is not null
order by s.userid, s.queryid, s.toplevel
