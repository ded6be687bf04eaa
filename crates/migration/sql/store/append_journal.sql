-- Purpose: number and append one entry; entries of one migration wait for each other here.
-- Locks: row exclusive on corridor.migration (one row) and corridor.journal
-- Oldest version: 14
with counted as (
    update corridor.migration
    set journal_count = journal_count + 1
    where id = $1
    returning id, journal_count
)
insert into corridor.journal (migration_id, number, actor, event, from_state, to_state, operation, detail)
select id, journal_count, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text::jsonb
from counted
returning number
