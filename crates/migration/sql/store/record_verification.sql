-- Purpose: keep the report of a verification. Its migration's row is locked, so numbers have no gaps and no twins.
-- Locks: row exclusive on corridor.verification
-- Oldest version: 14
insert into corridor.verification (migration_id, number, side, report)
select $1::bigint, coalesce(max(number), 0) + 1, $2::text, $3::text::jsonb
from corridor.verification
where migration_id = $1
returning number
