-- Purpose: for how long each operation of a migration stood still because somebody had paused it, and (without a name) the migration;
-- as far as the journal reaches back.
-- Locks: access share on corridor.journal, corridor.operation and corridor.migration
-- Oldest version: 14
with pause as materialized (
    select
        p.began,
        coalesce(p.ended, clock_timestamp()) as ended
    from (
        select
            j.to_state,
            j.at as began,
            lead(j.at) over (order by j.number) as ended
        from corridor.journal j
        where j.migration_id = $1
          and (j.from_state = 'paused') <> (j.to_state = 'paused')
    ) p
    where p.to_state = 'paused'
),
span as (
    select
        o.name,
        o.started_at,
        coalesce(o.finished_at, clock_timestamp()) as ended
    from corridor.operation o
    where o.migration_id = $1
    union all
    select
        '',
        m.started_at,
        coalesce(m.finished_at, clock_timestamp())
    from corridor.migration m
    where m.id = $1
)
select
    s.name,
    (sum(extract(epoch from least(p.ended, s.ended) - greatest(p.began, s.started_at))) * 1000)::float8 as paused_ms
from span s
join pause p on p.began < s.ended
    and p.ended > s.started_at
group by s.name
