-- Purpose: how far a migration was at no more than so many times, evenly spread.
-- Locks: access share on corridor.pace
-- Oldest version: 14
-- One look-up for each time, whatever lies between: a month has as many rows here as it likes.
with span as (
    select min(at) as low, max(at) as high
    from corridor.pace
    where migration_id = $1
), times as (
    select low + (high - low) * (i::float8 / $2::int) as at
    from span, generate_series(0, $2::int) i
    where low is not null
)
select distinct
    (extract(epoch from p.at))::float8 as at_s,
    p.rows,
    p.pending,
    p.is_held
from times
cross join lateral (
    select p.at, p.rows, p.pending, p.is_held
    from corridor.pace p
    where p.migration_id = $1
      and p.at <= times.at
    order by p.at desc
    limit 1
) p
order by at_s
