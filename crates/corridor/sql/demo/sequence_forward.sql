-- Purpose: time is turned forward: the sequence goes on behind a value.
-- Locks: ROW EXCLUSIVE on the sequence
-- Oldest version: 14
select setval(pg_get_serial_sequence('public.orders', 'id'), $1::bigint)
