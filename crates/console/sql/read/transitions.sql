-- Purpose: the transitions of a migration, the newest first: its way through the states.
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
  and (to_state is distinct from from_state or event = 'created')
order by number desc
limit $2
