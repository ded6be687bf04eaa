-- Purpose: the newest entries of the audit before a number, the newest first.
-- Locks: access share on corridor.audit
-- Oldest version: 14
select
    id,
    to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at,
    actor,
    action,
    object,
    detail::text as detail
from corridor.audit
where id < $1
order by id desc
limit $2
