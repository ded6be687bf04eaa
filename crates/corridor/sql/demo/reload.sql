-- Purpose: settings that were changed count from now on.
-- Locks: none
-- Oldest version: 14
select pg_reload_conf()
