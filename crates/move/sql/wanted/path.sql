-- Purpose: the search path that psql would have (what the session began with), behind the session's temporary schema:
--          what a file makes without naming a schema is temporary.
-- Locks: none
-- Oldest version: 14
select set_config('search_path', concat_ws(', ', 'pg_temp', nullif(s.reset_val, '')), true)
from pg_settings s
where s.name = 'search_path'
