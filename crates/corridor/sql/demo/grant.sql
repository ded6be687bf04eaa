/* corridor */
-- Purpose: what the application may do with the demo's table. The move has to carry it over.
-- Locks: ACCESS EXCLUSIVE on no table; a row of pg_class
-- Oldest version: 14
grant select, insert, update, delete on public.persons to app
