-- Purpose: the first and the last item of each of at most so many parts of a backfill: how its list fills up.
-- Locks: access share on corridor.item
-- Oldest version: 14
-- Two look-ups for each part: a list of a million costs what one of a thousand costs.
with part as (
    select
        i as part,
        1 + $3::bigint * i / $4::int as low,
        greatest($3::bigint * (i + 1) / $4::int, 1 + $3::bigint * i / $4::int) as high
    from generate_series(0, $4::int - 1) i
)
select
    part.low as position,
    coalesce(a.is_done, false) and coalesce(b.is_done, false) as is_done,
    coalesce(a.is_done or a.batches > 0, false) or coalesce(b.is_done or b.batches > 0, false) as is_begun
from part
left join corridor.item a on a.migration_id = $1 and a.operation = $2 and a.position = part.low
left join corridor.item b on b.migration_id = $1 and b.operation = $2 and b.position = part.high
order by part.part
