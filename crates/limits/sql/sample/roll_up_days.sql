-- Purpose: make buckets of the days that are over (UTC), of their hours.
-- Locks: row exclusive on corridor.sample
-- Oldest version: 14
with bounds as (
    select
        coalesce((select max(at) from corridor.sample where resolution = 2), '-infinity') as begins_at,
        date_trunc('day', clock_timestamp() - interval '5 minutes', 'UTC') as ends_at
)
insert into corridor.sample (resolution, at, series_id, first, last, low, high, count)
select
    2,
    date_trunc('day', s.at, 'UTC') as bucket_at,
    s.series_id,
    (array_agg(s.first order by s.at))[1],
    (array_agg(s.last order by s.at desc))[1],
    min(s.low),
    max(s.high),
    sum(s.count)::int
from corridor.sample s, bounds b
where s.resolution = 1
  and s.at >= b.begins_at
  and s.at < b.ends_at
group by bucket_at, s.series_id
order by bucket_at, s.series_id
on conflict do nothing
