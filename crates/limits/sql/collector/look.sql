-- Purpose: who collects, and when it was heard of last, by the server's clock.
-- Locks: access share on corridor.collector
-- Oldest version: 14
select holder, extract(epoch from clock_timestamp() - beat_at)::float8 as silent_s
from corridor.collector
where holder is not null
