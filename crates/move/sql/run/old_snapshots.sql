-- Purpose: sessions that may keep a snapshot that is older than the new table's rows. Between two statements only
--          repeatable read, serializable and open cursors have a backend_xmin. While a statement runs everybody has one;
--          then whoever has been at it for a second counts. Whose state is hidden from us may be anything.
-- Locks: none
-- Oldest version: 14
select
    pid,
    coalesce(nullif(application_name, ''), '-') as application_name,
    coalesce(usename, '-')::text as user_name,
    coalesce(extract(epoch from clock_timestamp() - xact_start), 0)::float8 as age_s,
    state is null as is_hidden
from pg_stat_activity
where datname = current_database()
  and coalesce(backend_type, 'client backend') = 'client backend'
  and pid <> pg_backend_pid()
  and coalesce(application_name, '') not like 'corridor:%'
  and (
    (state is null and query = '<insufficient privilege>')
    or (backend_xmin is not null and state = 'idle in transaction')
    or (backend_xmin is not null and state = 'active' and xact_start < clock_timestamp() - interval '1 s')
  )
order by xact_start
limit 10
