-- Purpose: a sign of life, in the transaction that keeps samples: who was taken over keeps none.
-- Locks: row exclusive on corridor.collector, one row
-- Oldest version: 14
update corridor.collector
set beat_at = clock_timestamp()
where epoch = $1::bigint
