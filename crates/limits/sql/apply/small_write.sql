-- Purpose: a small write, to see how long one takes now: an object id and a commit that reaches the disk. Nothing is kept.
-- Locks: row exclusive on pg_class
-- Oldest version: 14
select pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')::oid, pg_logical_emit_message(true, 'corridor', '')::text
