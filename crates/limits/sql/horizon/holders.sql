-- Purpose: who keeps rows from being frozen and taken away, oldest first: sessions, prepared transactions, slots, standbys.
-- Locks: none
-- Oldest version: 14
select h.*
from (
    -- Vacuums hold nobody up. A walsender's session is in the list as a standby.
    select
        'session' as kind, a.pid, a.pid::text as name, a.usename::text as role, a.datname::text as database,
        a.application_name as application, a.state, null::bool as is_active, null::bool as is_logical,
        greatest(age(a.backend_xmin), age(a.backend_xid))::float8 as xid_age,
        extract(epoch from clock_timestamp() - a.xact_start)::float8 as held_s,
        left(a.query, 120) as query
    from pg_stat_activity a
    where a.pid <> pg_backend_pid()
        and a.backend_type not in ('autovacuum worker', 'walsender')
        and (a.backend_xmin is not null or a.backend_xid is not null)
        and not exists (select from pg_stat_progress_vacuum v where v.pid = a.pid)
    union all
    select
        'prepared', null, p.gid, p.owner::text, p.database::text, null, null, null, null,
        age(p.transaction)::float8, extract(epoch from clock_timestamp() - p.prepared)::float8, null
    from pg_prepared_xacts p
    union all
    select
        'slot', s.active_pid, s.slot_name::text, null, s.database::text, null, s.wal_status, s.active,
        s.slot_type = 'logical', greatest(age(s.xmin), age(s.catalog_xmin))::float8,
        -- A column since PostgreSQL 17: since when nobody has used it.
        extract(epoch from clock_timestamp() - (to_jsonb(s) ->> 'inactive_since')::timestamptz)::float8, null
    from pg_replication_slots s
    where s.xmin is not null or s.catalog_xmin is not null
    union all
    select
        'standby', r.pid, coalesce(nullif(r.application_name, ''), r.pid::text), r.usename::text, null,
        r.application_name, r.state, null, null, age(r.backend_xmin)::float8, null, null
    from pg_stat_replication r
    where r.backend_xmin is not null
) h
order by h.xid_age desc nulls last, h.kind, h.name
limit 50
