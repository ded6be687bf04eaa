-- Purpose: which server this is: a number that a copy of its files has as well.
-- Locks: none. Some servers let only some roles ask.
-- Oldest version: 14
select system_identifier::text from pg_catalog.pg_control_system()
