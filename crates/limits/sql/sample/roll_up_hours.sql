-- Purpose: make buckets of the hours that are over. The newest one that is there is looked at again: what is there stays.
-- Locks: row exclusive on corridor.series and corridor.sample
-- Oldest version: 14
with bounds as (
    select
        coalesce((select max(at) from corridor.sample where resolution = 1), '-infinity') as begins_at,
        -- What was measured before the hour was over may be committed a little after it.
        date_trunc('hour', clock_timestamp() - interval '5 minutes', 'UTC') as ends_at
),
rolled as (
    insert into corridor.sample (resolution, at, series_id, first, last, low, high, count)
    select
        1,
        date_trunc('hour', s.at, 'UTC') as bucket_at,
        s.series_id,
        (array_agg(s.last order by s.at))[1],
        (array_agg(s.last order by s.at desc))[1],
        min(s.last),
        max(s.last),
        count(*)
    from corridor.sample s, bounds b
    where s.resolution = 0
      and s.at >= b.begins_at
      and s.at < b.ends_at
    group by bucket_at, s.series_id
    order by bucket_at, s.series_id
    on conflict do nothing
    returning series_id
)
update corridor.series
set last_at = clock_timestamp()
where id in (select series_id from rolled)
