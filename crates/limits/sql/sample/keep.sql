-- Purpose: keep figures: metrics, objects and values side by side, at one time. A figure that is there already stays.
-- Locks: row exclusive on corridor.series and corridor.sample; new series in their order, so that two that make the same
-- ones wait for each other and never in a circle
-- Oldest version: 14
with given as (
    select g.metric, g.object, g.value
    from unnest($1::text[], $2::text[], $3::float8[]) as g (metric, object, value)
),
known as (
    select s.id, s.metric, s.object
    from corridor.series s
    join given g on g.metric = s.metric and g.object = s.object
),
fresh as (
    insert into corridor.series as s (metric, object)
    select g.metric, g.object
    from given g
    where not exists (select from known k where k.metric = g.metric and k.object = g.object)
    order by g.metric, g.object
    -- Somebody made it since this statement began: its number is wanted all the same.
    on conflict (metric, object) do update set last_at = s.last_at
    returning s.id, s.metric, s.object
)
insert into corridor.sample (resolution, at, series_id, last)
select 0, to_timestamp($4::float8), s.id, g.value
from (select * from known union all select * from fresh) s
join given g on g.metric = s.metric and g.object = s.object
order by s.id
on conflict do nothing
