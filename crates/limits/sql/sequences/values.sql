-- Purpose: the last values of some sequences; few at a time, because each is locked to the end of the statement.
-- Locks: ROW EXCLUSIVE on each sequence, as nextval() takes; no writer waits for that
-- Oldest version: 14
select s.oid, pg_sequence_last_value(s.oid)::float8 as last_value
from unnest($1::oid[]) s (oid)
join pg_class c on c.oid = s.oid
where c.relpersistence = 'p' or not pg_is_in_recovery()
