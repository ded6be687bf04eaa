-- Purpose: transactions that keep a snapshot from one statement to the next (repeatable read, serializable, an open
--          cursor). Between statements only those have a backend_xmin. While a statement runs everybody has one; then a
--          transaction of several statements that is not young is taken for one of them.
-- Locks: none
-- Oldest version: 14
select
    pid,
    coalesce(nullif(application_name, ''), '-') as application_name,
    coalesce(usename, '-')::text as user_name,
    extract(epoch from clock_timestamp() - xact_start)::float8 as age_s
from pg_stat_activity
where datname = current_database()
  and backend_type = 'client backend'
  and pid <> pg_backend_pid()
  and backend_xmin is not null
  and application_name not like 'corridor:%'
  and (
    state = 'idle in transaction'
    or (state = 'active' and xact_start < clock_timestamp() - interval '10 s' and query_start > xact_start + interval '10 ms')
  )
order by xact_start
limit 10
