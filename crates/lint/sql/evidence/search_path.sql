-- Purpose: for this transaction, the search path that psql would have: our sessions pin their own.
-- Locks: none.
-- Oldest version: 14
select pg_catalog.set_config('search_path', reset_val, true) from pg_catalog.pg_settings where name = 'search_path'
