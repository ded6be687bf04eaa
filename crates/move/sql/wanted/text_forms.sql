-- Purpose: whether a value of one type ($1) becomes one of another ($2) by its text whatever the session's settings are,
--          and whether that text is the label of an enum's value (which only a change of the enum itself changes).
-- Locks: access share on catalogues
-- Oldest version: 14
select
    (o.provolatile = 'i' or f.typtype = 'e') and i.provolatile = 'i' as is_steady,
    f.typtype = 'e' as is_label
from pg_type f
join pg_proc o on o.oid = f.typoutput
cross join pg_type t
join pg_proc i on i.oid = t.typinput
where f.oid = $1 and t.oid = $2
