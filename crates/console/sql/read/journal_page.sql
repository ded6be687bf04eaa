-- Purpose: entries of a journal before a number, the newest first.
-- Locks: access share on corridor.journal
-- Oldest version: 14
select
    number,
    to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
    actor,
    event,
    from_state,
    to_state,
    operation,
    detail::text as detail
from corridor.journal
where migration_id = $1
  and number < $2
order by number desc
limit $3
