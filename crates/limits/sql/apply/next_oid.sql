-- Purpose: take one object id: where the counter is now. Superuser.
-- Locks: row exclusive on pg_class
-- Oldest version: 14
select pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')::oid
