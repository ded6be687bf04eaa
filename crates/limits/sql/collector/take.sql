-- Purpose: become the collector when there is none, it was given up, its holder was silent for longer than it had
-- promised, or it is this holder. No row when another one lives.
-- Locks: row exclusive on corridor.collector, one row
-- Oldest version: 14
insert into corridor.collector as c (holder, ttl_ms)
values ($1, $2::bigint)
on conflict (is_one) do update
set epoch = c.epoch + 1,
    holder = excluded.holder,
    ttl_ms = excluded.ttl_ms,
    beat_at = clock_timestamp()
where c.holder is null
   or c.holder = excluded.holder
   or c.beat_at <= clock_timestamp() - c.ttl_ms * interval '1 ms'
returning epoch
