-- Purpose: give up series: of each metric those beyond the $1 that had samples last, and those without any for three years.
-- Locks: row exclusive on corridor.series and corridor.sample
-- Oldest version: 14
with ranked as (
    select
        id,
        last_at,
        row_number() over (partition by metric order by last_at desc, id) as place
    from corridor.series
),
gone as (
    delete from corridor.series s
    using ranked r
    where s.id = r.id
      and (r.place > $1::bigint or r.last_at < clock_timestamp() - interval '1100 days')
    returning s.id
)
delete from corridor.sample s
using gone g
where s.series_id = g.id
