-- Purpose: the newest reports of verifications after a number, the newest first.
-- Locks: access share on corridor.verification
-- Oldest version: 14
select
    number,
    side,
    to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as recorded_at,
    report::text as report
from corridor.verification
where migration_id = $1
  and number > $2
order by number desc
limit $3
