-- Purpose: the history as a check needs it, at most some 400 points for each series: every quarter of the last hour, hours
-- of two days, every fourth hour of 30 days, days of 90 days, every seventh day of a year, then every 28th. A bucket speaks at
-- its end. Steps are whole days and weeks, so that the forecast finds the same hour and the same weekday again.
-- Locks: access share on corridor.series and corridor.sample
-- Oldest version: 14
with points as (
    select
        s.series_id,
        0 as resolution,
        max(extract(epoch from s.at)::float8) as at_s,
        (array_agg(s.last order by s.at desc))[1] as value
    from corridor.sample s
    where s.resolution = 0
      and s.at >= clock_timestamp() - interval '65 minutes'
    group by s.series_id, date_bin('15 minutes', s.at, 'epoch')
    union all
    select s.series_id, 1, extract(epoch from s.at)::float8 + 3600, s.last
    from corridor.sample s
    where s.resolution = 1
      and s.at >= clock_timestamp() - interval '2 days'
    union all
    select s.series_id, 1, extract(epoch from s.at)::float8 + 3600, s.last
    from corridor.sample s
    where s.resolution = 1
      and s.at = any (array(
          select generate_series(
              date_trunc('day', clock_timestamp(), 'UTC') - interval '30 days' + interval '3 hours',
              clock_timestamp() - interval '2 days',
              interval '4 hours'
          )
      ))
    union all
    select s.series_id, 2, extract(epoch from s.at)::float8 + 86400, s.last
    from corridor.sample s
    where s.resolution = 2
      and s.at >= date_trunc('day', clock_timestamp(), 'UTC') - interval '90 days'
    union all
    select s.series_id, 2, extract(epoch from s.at)::float8 + 86400, s.last
    from corridor.sample s
    where s.resolution = 2
      and s.at = any (array(
          select date_trunc('day', clock_timestamp(), 'UTC') - day * interval '1 day'
          from (select generate_series(91, 364, 7) union all select generate_series(371, 1099, 28)) as d (day)
      ))
)
select
    n.metric,
    n.object,
    array_agg(p.at_s order by p.at_s, p.resolution desc) as at_s,
    array_agg(p.value order by p.at_s, p.resolution desc) as value
from points p
join corridor.series n on n.id = p.series_id
where n.metric = any ($1::text[])
group by n.metric, n.object
